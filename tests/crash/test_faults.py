"""Faults that are not deaths: a full disk, damaged bytes, a client that reads files past the store."""

import os
import subprocess

import psycopg
import pytest
from harness import processes
from harness.server import MAJORS, Server, primary


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


@pytest.fixture(scope="module", params=MAJORS)
def endpoint(request, server):
    server.create_project(f"pg{request.param}", request.param)
    return primary(f"pg{request.param}")


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


def may_mount():
    return subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True).returncode == 0


@pytest.mark.skipif(not may_mount(), reason="a disk of limited size needs the right to mount one")
@pytest.mark.parametrize("major", MAJORS)
def test_a_full_disk_stops_writes_and_loses_nothing(major):
    """On a file system of 1 GB: writes end with 53100, reads go on, and what was acknowledged stays."""
    wrapper = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs -o size=1g,mode=755 none "$0" && exec "$@"']
    server = Server()
    server.data.mkdir()
    server.wrapper = [*wrapper, str(server.data)]
    with server:
        server.create_project("full", major)
        endpoint, kept = primary("full"), 0
        server.query(endpoint, "CREATE TABLE kept (n int, body text)")
        with server.connect(endpoint) as conn:
            with pytest.raises(psycopg.Error) as raised:
                for n in range(100_000):
                    conn.execute("INSERT INTO kept SELECT %s, repeat(md5(g::text), 30) FROM generate_series(1, 1000) g", (n,))
                    kept += 1
        print(f"PostgreSQL {major}: full after {kept} MB: {raised.value}")
        assert kept > 10
        assert server.answers(), "the server must stay up"
        # A disk too full for the WAL ends PostgreSQL; then the endpoint must come back by itself.
        assert raised.value.sqlstate in ("53100", None, "57P02", "57P01"), raised.value
        found = server.query(endpoint, "SELECT count(DISTINCT n), count(*) FROM kept WHERE n < %s", (kept,))
        assert found == [(kept, kept * 1000)]
        server.query(endpoint, "SELECT count(*) FROM pg_class")
