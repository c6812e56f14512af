"""Before the disk is full: computes only read, nothing new is made, and all goes on when there is room again."""

import contextlib
import os
import re

import psycopg
import pytest
from databricks.sdk.errors import DatabricksError
from harness import processes
from harness.server import MAJORS, primary
from harness.small_disk import SmallDisk, fill, may_mount

MB = 1 << 20
pytestmark = pytest.mark.skipif(not may_mount(), reason="a disk of limited size needs the right to mount one")

# Of 1 GB. Segments of log and WAL are made ahead, so that much of it can go in the moment before computes only read.
LIMITS = ("--shared-buffers", "32MB", "--disk-low", "384MB", "--disk-critical", "256MB")


def take_room(server, left):
    """Somebody else's file grows until only `left` bytes are free: compressed WAL may have given some back."""
    hog = server.inside(server.data / "hog")
    with open(hog, "ab") as file:
        if (more := server.free_bytes() - left) > 0:
            os.posix_fallocate(file.fileno(), os.fstat(file.fileno()).st_size, more)
    return hog


def wait_for_no_writes(server, endpoint):
    def refused():
        take_room(server, 140 * MB)
        return not writes(server, endpoint)
    processes.wait_until(refused, "writes refused", 30)


def writes(server, endpoint):
    try:
        server.query(endpoint, "INSERT INTO kept VALUES (-1, 'room')")
        return True
    except psycopg.errors.ReadOnlySqlTransaction:
        return False


def go_to_sleep(server, endpoint):
    server.suspend_after(endpoint, 1)
    server.wait_for_state(endpoint, "IDLE")
    processes.wait_until(lambda: not server.postgres_of(endpoint), "PostgreSQL stopped")
    server.suspend_after(endpoint, 3600)


def incarnations(server):
    return len(list(server.inside(server.data / "store/lineages").glob("*/*/incarnation")))


def compressed(server):
    return {p.name for p in server.inside(server.data / "store/lineages").glob("*/*/wal_archive/*.zst")}


@pytest.mark.parametrize("major", MAJORS)
def test_computes_only_read_while_the_disk_is_nearly_full(major):
    with SmallDisk(LIMITS) as server:
        server.create_project("full", major)
        endpoint = primary("full")
        server.query(endpoint, "CREATE TABLE kept (n int, body text)")
        server.query(endpoint, "CREATE INDEX ON kept (n)")
        postmaster = server.postgres_of(endpoint)[0]
        with server.connect(endpoint) as conn:
            kept, error = fill(conn, "kept")
        left = server.free_bytes()
        print(f"read-only after {kept} MB with {left / MB:.0f} MB free: {error}")
        assert kept > 10 and error.sqlstate == "25006", (kept, error)

        def is_served():
            # By an index: who reads pages for the first time notes on each what he found, and that takes room.
            some = (0, kept // 2, kept - 1)
            return all(server.query(endpoint, "SELECT count(*) FROM kept WHERE n = %s", (n,)) == [(1000,)] for n in some)

        before = incarnations(server)
        wait_for_no_writes(server, endpoint)
        assert is_served()
        assert postmaster.alive() and "PANIC" not in server.postgres_log(endpoint)

        status = server.client.api_client.do("GET", "/api/tarn/v1/status")
        assert status["disk"]["state"] == "critical"
        (shown,) = status["projects"][0]["branches"][0]["endpoints"]
        assert shown["state"] == "running" and shown["reason"].startswith("read-only: the disk is nearly full")
        made = compressed(server)
        for make in (lambda: server.create_branch("projects/full/branches/production", "more"),
                     lambda: server.create_project("more", major)):
            with pytest.raises(DatabricksError, match=r"0\.\d+ GiB of 1\.0 GiB are free") as refused:
                make()
            assert refused.value.error_code == "RESOURCE_LIMIT_EXCEEDED"
        assert "is nearly full" in server.log.read_text()

        go_to_sleep(server, endpoint)
        assert is_served()
        assert incarnations(server) == before, "the end was clean: a checkpoint had room"

        server.stop()  # everything: computes killed, on a disk that is as full as before
        processes.end_all(server.root)
        server.start()
        assert is_served()
        wait_for_no_writes(server, endpoint)
        postmaster = server.postgres_of(endpoint)[0]

        assert compressed(server) == made, "a compressed segment takes room before it gives some"
        server.inside(server.data / "hog").unlink()
        server.grow()
        processes.wait_until(lambda: writes(server, endpoint), "writes again", 30)
        assert postmaster.alive(), "nobody restarts anything by hand"
        found = server.query(endpoint, "SELECT count(DISTINCT n), count(*) FROM kept WHERE n BETWEEN 0 AND %s", (kept - 1,))
        assert found == [(kept, kept * 1000)], "nothing acknowledged is lost"
        server.create_branch("projects/full/branches/production", "more")
        assert server.query(primary("full", "more"), "SELECT count(*) >= 1 FROM kept WHERE n = -1") == [(True,)]
        assert re.search("has room again", server.log.read_text())


def test_a_long_writer_is_ended_before_the_wal_has_no_room():
    with SmallDisk(LIMITS) as server:
        server.create_project("full")
        endpoint = primary("full")
        server.query(endpoint, "CREATE TABLE kept (n int PRIMARY KEY, body text)")
        server.query(endpoint, "INSERT INTO kept VALUES (0, 'acknowledged')")
        postmaster = server.postgres_of(endpoint)[0]
        with server.connect(endpoint) as conn:
            with pytest.raises(psycopg.Error) as raised:
                conn.execute("INSERT INTO kept SELECT g, repeat(md5(g::text), 30) FROM generate_series(1, 10000000) g")
            assert raised.value.sqlstate in ("57014", "53100"), raised.value  # canceled, or no room for a page: as quick as it was
        assert postmaster.alive() and "PANIC" not in server.postgres_log(endpoint)
        assert server.query(endpoint, "SELECT * FROM kept WHERE n = 0") == [(0, "acknowledged")]


def take_all_room(server):
    """To the last byte."""
    hog = take_room(server, 4 * MB)
    with open(hog, "ab") as file, contextlib.suppress(OSError):
        while True:
            os.write(file.fileno(), bytes(4096))
    assert server.free_bytes() < MB
    return hog


def test_a_branch_is_deleted_though_the_last_byte_is_taken():
    with SmallDisk(LIMITS) as server:
        server.create_project("full")
        server.create_branch("projects/full/branches/production", "needless")
        go_to_sleep(server, primary("full"))
        ballast = server.inside(server.data / "ballast")

        def is_there():
            return ballast.exists() and ballast.stat().st_blocks * 512 >= 16 * MB

        processes.wait_until(is_there, "the ballast")
        hog = take_all_room(server)
        assert is_there(), "it is not for whoever fills the disk"
        server.api.delete_branch(name="projects/full/branches/needless", purge=True).wait()
        assert not ballast.exists() and "has made way" in server.log.read_text()

        hog.unlink()
        processes.wait_until(is_there, "the ballast again")
        take_all_room(server)
        server.restart()
        assert not ballast.exists()
        server.api.delete_project(name="projects/full", purge=True).wait()
