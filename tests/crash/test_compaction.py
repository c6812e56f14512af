"""Scattered pages are moved together while PostgreSQL runs: it reads what it read before, also after kills in the middle."""

import pytest
from harness import processes, slots, verify
from harness.server import MAJORS, Server, primary
from harness.workload import amcheck

ROWS = 2000  # one in each block
STEP = 23    # blocks from one update to the next: each checkpoint writes pieces of eleven blocks
CONTENTS = "SELECT count(*), sum(n), md5(string_agg(id || ':' || n, ',' ORDER BY id)) FROM scattered"


@pytest.fixture(scope="module")
def calm_server():
    with Server(options=["--compaction-calm", "1s"]) as running:
        yield running


def fill(admin):
    admin.execute("CREATE TABLE scattered (id int PRIMARY KEY, n int, filler text STORAGE PLAIN) WITH (fillfactor = 50)")
    admin.execute("INSERT INTO scattered SELECT i, 0, repeat('x', 3500) FROM generate_series(1, %s::int) i", [ROWS])
    admin.execute("CHECKPOINT")


def scatter(admin, rounds=STEP):
    for rest in range(rounds):
        admin.execute("UPDATE scattered SET n = n + 1 WHERE id %% %s = %s", [STEP, rest])
        admin.execute("CHECKPOINT")


def log_of(server):
    """The log that was written to last."""
    return max(server.data.glob("store/lineages/*/*"), key=lambda each: max(
        (path.stat().st_mtime_ns for path in each.glob("*.slots")), default=0))


def pieces(server):
    return slots.pieces(slots.largest(log_of(server)))


def test_scattered_pages_are_moved_together(calm_server):
    server, endpoint = calm_server, primary("calm")
    server.create_project("calm", MAJORS[0])
    server.query(endpoint, "SELECT 1")
    with server.superuser(endpoint) as admin:
        fill(admin)
        scatter(admin)
        before = admin.execute(CONTENTS).fetchone()
        together = ROWS / 256
        processes.wait_until(lambda: pieces(server) < 3 * together, "the pages moved together", 60)
        # While pages that were copied are written, cut off and written again.
        admin.execute("UPDATE scattered SET n = n + 1 WHERE id % 7 = 1")
        admin.execute("DELETE FROM scattered WHERE id > %s", [ROWS - 500])
        admin.execute("VACUUM scattered")
        admin.execute("INSERT INTO scattered SELECT i, 0, repeat('y', 3500) FROM generate_series(%s::int, %s::int) i",
                      [ROWS - 499, ROWS])
        admin.execute("CHECKPOINT")
        contents = admin.execute(CONTENTS).fetchone()
        assert contents != before
        amcheck(admin)
    server.suspend_after(endpoint, 1)
    server.wait_for_state(endpoint, "IDLE")
    server.suspend_after(endpoint, 3600)
    server.query(endpoint, "SELECT 1")
    with server.superuser(endpoint) as admin:  # from the disk: nothing is in its memory any more
        assert admin.execute(CONTENTS).fetchone() == contents
    verify.assert_whole(server)


def test_kills_while_pages_are_moved(calm_server):
    server, endpoint = calm_server, primary("killed")
    server.create_project("killed", MAJORS[-1])
    server.query(endpoint, "SELECT 1")
    with server.superuser(endpoint) as admin:
        fill(admin)
        scatter(admin)
        contents = admin.execute(CONTENTS).fetchone()
    for _ in range(2):
        with server.superuser(endpoint) as admin:
            scatter(admin, 2)
            contents = admin.execute(CONTENTS).fetchone()
        seen = slots.newest(log_of(server))[1]
        processes.wait_until(lambda: slots.newest(log_of(server))[1] > seen, "pages being moved", 30)
        server.kill()
        processes.kill_all(server.root)
        server.start()
        server.query(endpoint, "SELECT 1")
        with server.superuser(endpoint) as admin:
            assert admin.execute(CONTENTS).fetchone() == contents
            amcheck(admin)
            scatter(admin)
            contents = admin.execute(CONTENTS).fetchone()
    verify.assert_whole(server)
