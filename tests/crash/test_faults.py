"""Faults that are not deaths: a full disk, damaged bytes, a client that reads files past the store."""

import os
import subprocess
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from harness import processes
from harness.server import MAJORS, Server, primary
from harness.small_disk import SmallDisk, fill, may_mount


def asleep(server, endpoint):
    server.suspend_after(endpoint, 1)
    server.wait_for_state(endpoint, "IDLE")
    processes.wait_until(lambda: not server.postgres_of(endpoint), "PostgreSQL stopped")
    server.suspend_after(endpoint, 3600)


def places_of(marker, folder):
    """(file, offset) of every occurrence of the marker's bytes below a folder."""
    for root, _, names in os.walk(folder):
        for name in names:
            path = os.path.join(root, name)
            with open(path, "rb") as file:
                content = file.read()
            at = content.find(marker)
            while at >= 0:
                yield path, at
                at = content.find(marker, at + 1)


def test_a_damaged_page_is_an_error_and_never_served(server, endpoint):
    marker = f"marker-of-{endpoint.split('/')[1]}-{os.urandom(8).hex()}"
    server.query(endpoint, "CREATE TABLE damaged AS SELECT n, %s AS body FROM generate_series(1, 10) n", (marker,))
    server.query(endpoint, "CREATE TABLE sound AS SELECT generate_series(1, 10) AS n")
    asleep(server, endpoint)
    store = server.data / "store"
    places = [(path, at) for path, at in places_of(marker.encode(), store) if "wal" not in path.split(os.sep)]
    assert places, f"the page with {marker} is nowhere below {store}"
    for path, at in places:
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(b"X")
    with server.connect(endpoint) as conn:
        with pytest.raises(psycopg.Error) as raised:
            print(conn.execute("SELECT body FROM damaged").fetchall())
        assert raised.value.sqlstate in ("58030", "XX001"), raised.value  # io_error, data_corrupted
        assert conn.execute("SELECT count(*) FROM sound").fetchone() == (10,)
    for path, at in places:  # whole again, so that the checksum judges the bytes and nothing else
        with open(path, "r+b") as file:
            file.seek(at)
            file.write(marker[:1].encode())
    assert server.query(endpoint, "SELECT count(DISTINCT body), min(body) FROM damaged") == [(1, marker)]


def test_files_of_relations_cannot_be_read_past_the_store(server, endpoint):
    server.query(endpoint, "CREATE TABLE readable AS SELECT generate_series(1, 1000) AS n")
    with server.superuser(endpoint) as conn:
        path = conn.execute("SELECT pg_relation_filepath('readable')").fetchone()[0]
        with pytest.raises(psycopg.Error) as raised:
            conn.execute("SELECT pg_read_binary_file(%s)", (path,))
        assert "could not" in str(raised.value)


small_disk = pytest.mark.skipif(not may_mount(), reason="a disk of limited size needs the right to mount one")


@small_disk
def test_a_file_system_that_cannot_reserve_space_is_refused_at_the_start():
    server = Server()
    server.data.mkdir()
    server.wrapper = ["unshare", "--mount", "sh", "-c", 'mount -t ramfs none "$0" && chmod 755 "$0" && exec "$@"',
                      str(server.data)]
    try:
        with pytest.raises(RuntimeError, match="(?s)cannot reserve space.*put the data directory on one that can"):
            server.start()
    finally:
        server.destroy()


# Of the disk itself, not of what is done before it is full (test_full_disk.py).
TO_THE_LAST_BYTE = ("--disk-low", "0", "--disk-critical", "0")


@small_disk
@pytest.mark.parametrize("major", MAJORS)
def test_a_page_that_has_no_room_is_an_error_and_harms_nothing(major):
    with SmallDisk(TO_THE_LAST_BYTE) as server:
        server.create_project("full", major)
        server.query(primary("full"), "CREATE TABLE before AS SELECT generate_series(1, 100000) AS n")
        # On a branch, whose recovery made the segment that it writes its WAL to.
        server.create_branch("projects/full/branches/production", "branch")
        endpoint = primary("full", "branch")
        # Unlogged, so that pages meet the full disk and not the WAL.
        server.query(endpoint, "CREATE UNLOGGED TABLE filler (n int, body text)")
        postmaster = server.postgres_of(endpoint)[0]
        with server.connect(endpoint) as conn:
            kept, error = fill(conn, "filler")
            assert kept > 10 and error.sqlstate == "53100", (kept, error)  # disk_full
            for _ in range(300):  # each leaves a record of its failure, in all more than a page of WAL
                with pytest.raises(psycopg.errors.DiskFull):
                    conn.execute("INSERT INTO filler SELECT -1, repeat(md5(g::text), 30) FROM generate_series(1, 1000) g")
        assert postmaster.alive(), "PostgreSQL must stay up when a page has no room"
        assert server.answers()
        server.grow()
        assert server.query(endpoint, "SELECT count(DISTINCT n) FROM filler") == [(kept,)]
        server.query(endpoint, "INSERT INTO before VALUES (1)")
        assert server.query(endpoint, "SELECT sum(n) FROM before") == [(5000050001,)]


@small_disk
@pytest.mark.parametrize("major", MAJORS)
def test_a_full_disk_loses_nothing_that_was_acknowledged(major):
    """PostgreSQL itself ends when its WAL has no room; with room again, everything acknowledged is there."""
    with SmallDisk(TO_THE_LAST_BYTE) as server:
        server.create_project("full", major)
        endpoint = primary("full")
        server.query(endpoint, "CREATE TABLE kept (n int, body text)")
        with server.connect(endpoint) as conn:
            kept, error = fill(conn, "kept")
        print(f"full after {kept} MB: {error}")
        assert kept > 10
        assert server.answers(), "the server must stay up"
        server.grow()
        found = server.query(endpoint, "SELECT count(DISTINCT n), count(*) FROM kept WHERE n < %s", (kept,))
        assert found == [(kept, kept * 1000)]
        server.query(endpoint, "INSERT INTO kept VALUES (-1, 'room')")


def hang_at_start(server, endpoint):
    """Makes the next start of a sleeping endpoint wait for ever: its log becomes a pipe that nobody reads."""
    log = server.data / "endpoints" / server.api.get_endpoint(name=endpoint).uid / "log/postgres.log"
    owner = log.parent.stat()
    log.unlink(missing_ok=True)
    os.mkfifo(log, 0o600)
    os.chown(log, owner.st_uid, owner.st_gid)
    return log


def test_starts_that_hang_keep_no_other_endpoint_asleep():
    hanging = 10  # more than start side by side
    with Server() as server:
        server.create_project("many")
        for n in range(hanging):
            server.create_branch("projects/many/branches/production", f"b{n}")
        sleepers = [primary("many", f"b{n}") for n in range(hanging)]

        def supervisors():
            return [p for p in server.processes() if p.is_supervisor]

        for endpoint in sleepers:
            server.query(endpoint, "SELECT 1")  # its directory is there then
        for endpoint in (*sleepers, primary("many")):
            server.suspend_after(endpoint, 1)
        processes.wait_until(lambda: not supervisors(), "all asleep")
        logs = [hang_at_start(server, endpoint) for endpoint in sleepers]
        with ThreadPoolExecutor(hanging) as callers:
            answers = [callers.submit(server.query, endpoint, "SELECT 1") for endpoint in sleepers]
            processes.wait_until(lambda: len(supervisors()) == hanging, "starts that hang", 60)
            assert server.query(primary("many"), "SELECT 1") == [(1,)]
            assert not any(answer.done() for answer in answers), "a start that was to hang has ended"
            pipes = [os.open(log, os.O_RDWR | os.O_NONBLOCK) for log in logs]
            assert [answer.result(60) for answer in answers] == [[(1,)]] * hanging
        for pipe in pipes:
            os.close(pipe)
