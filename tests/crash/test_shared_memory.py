"""A killed PostgreSQL cannot remove its shared memory: who finds it dead does, and nobody's else."""

import contextlib

import psycopg
import pytest
from harness import processes, shared_memory
from harness.server import primary


@pytest.fixture
def user(server):
    return (server.data / "endpoints").stat().st_uid


@contextlib.contextmanager
def a_parallel_query(server, endpoint):
    """One that runs, past the proxy, with a dynamic segment of its own. Answers the processes, postmaster first.

    Past the proxy, since a compute that ends while a client is connected is started again at once.
    """
    with server.superuser(endpoint) as conn:
        conn.execute("SET debug_parallel_query = on")
        conn.pgconn.send_query(b"SELECT count(*), pg_sleep(600) FROM pg_class")
        conn.pgconn.flush()

        def runs():
            found = server.postgres_of(endpoint)
            return found if any("parallel worker" in p.command for p in found) else None

        found = processes.wait_until(runs, "a parallel query")
        used = set().union(*(shared_memory.mapped_by(p.pid) for p in found))
        assert len(used) >= 2, f"PostgreSQL uses {used}, and not the segments that this test is about"
        yield found


def left_since(before, user):
    return shared_memory.unused(user) - before


def test_a_killed_compute_leaves_no_shared_memory(server, endpoint, user):
    server.query(endpoint, "SELECT 1")
    before = shared_memory.unused(user)
    with contextlib.suppress(psycopg.Error), a_parallel_query(server, endpoint) as found:
        found[0].kill()
    processes.wait_until(lambda: not server.postgres_of(endpoint), "PostgreSQL gone")
    processes.wait_until(lambda: not left_since(before, user), f"{endpoint}'s shared memory gone", 20)
    assert server.query(endpoint, "SELECT 1") == [(1,)]


def test_a_compute_that_was_killed_with_its_supervisor_leaves_none_when_it_is_removed(server, user):
    server.create_project("gone")
    uid = server.api.get_endpoint(name=primary("gone")).uid
    server.query(primary("gone"), "SELECT 1")
    before = shared_memory.unused(user)
    with contextlib.suppress(psycopg.Error), a_parallel_query(server, primary("gone")):
        tree = [p for p in server.processes() if f"/endpoints/{uid}/spec.json" in p.command]
        assert len(tree) == 1, [p.command for p in tree]
        tree[0].kill()  # the kernel kills the postmaster then
    processes.wait_until(lambda: not server.postgres_of(primary("gone")), "PostgreSQL gone")
    assert left_since(before, user), "nobody was there to remove it: this test has met no leak"
    server.api.delete_project(name="projects/gone", purge=True).wait()
    processes.wait_until(lambda: not left_since(before, user), "the shared memory of a removed compute gone", 20)
