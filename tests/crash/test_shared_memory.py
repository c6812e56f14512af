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
    """One that runs, past the proxy, with a dynamic segment of its own. Answers the postmaster, and the names of all
    segments of its PostgreSQL.

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
        used = shared_memory.used_by(*(p.pid for p in found))
        assert len(used) >= 3, f"PostgreSQL uses {used}, and not the segments that this test is about"
        yield found[0], used


def test_a_killed_compute_leaves_no_shared_memory(server, endpoint, user):
    server.query(endpoint, "SELECT 1")
    with contextlib.suppress(psycopg.Error), a_parallel_query(server, endpoint) as (postmaster, used):
        postmaster.kill()
    processes.wait_until(lambda: not server.postgres_of(endpoint), "PostgreSQL gone")
    processes.wait_until(lambda: not used & shared_memory.unused(user), f"{endpoint}'s shared memory gone", 20)
    assert server.query(endpoint, "SELECT 1") == [(1,)]


def test_a_compute_that_was_killed_with_its_supervisor_leaves_none_when_it_is_removed(server, user):
    server.create_project("gone")
    uid = server.api.get_endpoint(name=primary("gone")).uid
    server.query(primary("gone"), "SELECT 1")
    with contextlib.suppress(psycopg.Error), a_parallel_query(server, primary("gone")) as (_, used):
        tree = [p for p in server.processes() if f"/endpoints/{uid}/spec.json" in p.command]
        assert len(tree) == 1, [p.command for p in tree]
        tree[0].kill()  # the kernel kills the postmaster then
    processes.wait_until(lambda: not server.postgres_of(primary("gone")), "PostgreSQL gone")
    assert used & shared_memory.unused(user), "nobody was there to remove it: this test has met no leak"
    server.api.delete_project(name="projects/gone", purge=True).wait()
    processes.wait_until(lambda: not used & shared_memory.unused(user), "the shared memory of a removed compute gone", 20)
