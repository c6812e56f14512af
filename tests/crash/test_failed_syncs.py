"""Syncs on the real thing: what is acknowledged was synced before, and a failed sync ends the incarnation.

strace watches, and makes calls fail, in PostgreSQL's own processes.
"""

import contextlib
import re

import psycopg
import pytest
from harness import processes
from harness.faults import needs_trace, traced

SYNC_OF_WAL = re.compile(r"fdatasync\(\d+<[^>]*/wal/[0-9A-F]{24}>\) = 0")


@pytest.fixture(scope="module", autouse=True)
def kept(server, endpoint):
    server.query(endpoint, "CREATE TABLE kept (n int)")


@needs_trace
def test_a_commit_is_synced_before_it_is_acknowledged(server, endpoint, tmp_path):
    with server.superuser(endpoint) as conn:
        conn.execute("INSERT INTO kept VALUES (0)")
        with traced(conn.info.backend_pid, tmp_path / "calls", "-e", "trace=fdatasync,fsync,sendto"):
            conn.execute("INSERT INTO kept VALUES (1)")
    calls = (tmp_path / "calls").read_text()
    answer = calls.find("INSERT 0 1")
    assert answer > 0, calls
    assert SYNC_OF_WAL.search(calls[:answer]), f"acknowledged without a sync of WAL:\n{calls}"


@needs_trace
def test_making_a_segment_leaves_the_walk_of_wal_alone(server, endpoint, tmp_path):
    """A checkpoint makes the next segment beside others' commits: were it to walk too, the two would spoil the walk."""
    checkpointer, = [p for p in server.postgres_of(endpoint) if "checkpointer" in p.command]
    with server.superuser(endpoint) as conn:
        position = "SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint % 16777216"
        while not 13 << 20 <= conn.execute(position).fetchone()[0] < 15 << 20:
            conn.execute("INSERT INTO kept SELECT 4 FROM generate_series(1, 5000)")
        with traced(checkpointer.pid, tmp_path / "calls", "-e", "trace=fsync,fdatasync,pread64"):
            conn.execute("CHECKPOINT")
            conn.execute("CHECKPOINT")  # the first one has ended: so has what it does after its seal
        conn.execute("DELETE FROM kept WHERE n = 4")
    calls = [line for line in (tmp_path / "calls").read_text().splitlines() if re.search(r"<[^>]*/wal/[0-9A-F]{24}>", line)]
    made = [n for n, line in enumerate(calls) if " fsync(" in line]
    assert made, "no segment was made:\n" + "\n".join(calls)
    for n in made:
        following = calls[n + 1] if n + 1 < len(calls) else ""
        assert "pread64" not in following, f"{calls[n]}\n{following}"


def killed_for_sync(server, uid):
    log = (server.data / "endpoints" / uid / "log/supervisor.log").read_text()
    return log.count("PostgreSQL is killed: a sync of the page log or WAL failed")


def fails_in(server, endpoint, pid, statement, conn, tmp_path):
    """Runs the statement while the next sync of that process fails; afterwards everything acknowledged is there."""
    uid = server.api.get_endpoint(name=endpoint).uid
    before, = server.query(endpoint, "SELECT count(*) FROM kept")[0]
    kills = killed_for_sync(server, uid)
    with traced(pid, tmp_path / "calls", "-e", "trace=fdatasync", "-e", "inject=fdatasync:error=EIO:when=1"):
        with pytest.raises(psycopg.Error):
            conn.execute(statement)
        processes.wait_until(lambda: killed_for_sync(server, uid) > kills, "the supervisor to see the failed sync")
    assert "INJECTED" in (tmp_path / "calls").read_text()

    def answers():
        with contextlib.suppress(psycopg.OperationalError):
            return server.query(endpoint, "SELECT count(*) FROM kept")
        return None

    after, = processes.wait_until(answers, "the endpoint answers again")[0]
    assert before <= after <= before + 1


@needs_trace
def test_a_failed_sync_of_wal_ends_the_incarnation(server, endpoint, tmp_path):
    with server.superuser(endpoint) as conn:
        fails_in(server, endpoint, conn.info.backend_pid, "INSERT INTO kept VALUES (2)", conn, tmp_path)


@needs_trace
def test_a_failed_sync_of_the_page_log_ends_the_incarnation(server, endpoint, tmp_path):
    server.query(endpoint, "INSERT INTO kept VALUES (3)")
    checkpointer, = [p for p in server.postgres_of(endpoint) if "checkpointer" in p.command]
    with server.superuser(endpoint) as conn:
        fails_in(server, endpoint, checkpointer.pid, "CHECKPOINT", conn, tmp_path)
