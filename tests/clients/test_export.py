"""`tarn export`: stock PostgreSQL, without Tarn, opens what it wrote, and finds there what the branch holds."""

import os
import stat
import subprocess
from datetime import datetime, timezone

import psycopg
import pytest
from harness import pgbench, processes
from harness.contents import contents, differences
from harness.server import MAJORS, SUPERUSER, Server, primary
from harness.stock import StockPostgres, binaries, unprivileged
from test_moments import branch_at

PRODUCTION = "projects/{}/branches/production"


class ExportedPostgres(StockPostgres):
    """Stock PostgreSQL on a directory that `tarn export` fills."""

    def __init__(self, major):
        self.bin = binaries(major)
        self.settings = {}
        self.make_root()

    def connection(self, database="postgres"):
        return {**super().connection(), "user": SUPERUSER, "dbname": database}

    def contents(self):
        return contents(lambda name: psycopg.connect(**self.connection(name), autocommit=True))


def export(server, *arguments, data=None):
    return subprocess.run([str(server.program()), "export", "--data-dir", str(data or server.data), *map(str, arguments)],
                          capture_output=True, text=True, timeout=300)


def exported(server, project, major, *arguments, branch="production"):
    copy = ExportedPostgres(major)
    copy.data.mkdir()
    if options := unprivileged():  # whose it is says whose all of it will be
        os.chown(copy.data, options["user"], options["group"])
    done = export(server, f"projects/{project}/branches/{branch}", copy.data, *arguments)
    assert done.returncode == 0, done.stderr
    return copy


def contents_of(server, endpoint):
    """Of a running endpoint."""
    return contents(lambda name: server.superuser(endpoint, dbname=name))


def assert_equal(left, right):
    assert not (found := differences(left, right)), found


def test_a_branch_that_was_promoted_a_moment_ago_is_exported(server, project_ids):
    """Its newest WAL lies in a page that still says the timeline before."""
    project = next(project_ids)
    server.create_project(project)
    server.query(primary(project), "CREATE TABLE t AS SELECT 1 AS n")
    server.create_branch(PRODUCTION.format(project), "dev")
    assert server.query(primary(project, "dev"), "SELECT n FROM t") == [(1,)]
    copy = exported(server, project, 17, branch="dev")
    try:
        copy.start()
        with psycopg.connect(**copy.connection("databricks_postgres")) as conn:
            assert conn.execute("SELECT n FROM t").fetchall() == [(1,)]
    finally:
        copy.destroy()


@pytest.mark.parametrize("major", MAJORS)
def test_stock_postgres_finds_what_the_branch_holds(server, project_ids, major):
    project = next(project_ids)
    server.create_project(project, major)
    pgbench.initialise(server.connection(primary(project)), 2)
    server.query(primary(project), "CREATE TABLE words AS SELECT n, md5(n::text) AS w FROM generate_series(1, 5000) n; "
                                   "CREATE UNLOGGED TABLE scratch AS SELECT 1 AS n")
    server.query(primary(project), "CREATE DATABASE other")
    with server.superuser(primary(project)) as admin:
        admin.execute("CHECKPOINT")
    server.query(primary(project), "UPDATE words SET w = 'changed' WHERE n % 3 = 0; CREATE SEQUENCE s; SELECT nextval('s')")
    server.query(primary(project), "TRUNCATE scratch")
    before = contents_of(server, primary(project))
    copy = exported(server, project, major)
    for folder, _, names in os.walk(copy.data):
        assert stat.S_IMODE(os.stat(folder).st_mode) == 0o700
        for name in names:
            assert stat.S_IMODE(os.stat(os.path.join(folder, name)).st_mode) == 0o600, name
    with copy:
        assert_equal(copy.contents(), before)
        assert "database system was shut down at" in copy.log.read_text()
        with copy.connect() as conn:
            conn.execute("CREATE EXTENSION amcheck")
        # It is a cluster of its own, and lives on.
        copy.query("CREATE TABLE more AS SELECT 1 AS n")
        copy.stop()
        copy.start()
        assert copy.query("SELECT n FROM more") == [(1,)]
    assert_equal(contents_of(server, primary(project)), before)


def test_a_moment_of_a_branch_that_is_written_to(server, project):
    parameters = server.connection(primary(project))
    pgbench.initialise(parameters, 2)
    load = pgbench.start(parameters, "-c", 3, "-T", 300)
    try:
        processes.wait_until(lambda: server.query(primary(project), "SELECT count(*) > 300 FROM pgbench_history")[0][0],
                             "some load")
        (lsn,), = server.query(primary(project), "SELECT pg_current_wal_flush_lsn()::text")
        when = datetime.now(timezone.utc)
        processes.wait_until(lambda: server.query(primary(project), "SELECT count(*) > 600 FROM pgbench_history")[0][0],
                             "more load")
        newest = exported(server, project, 17)
        assert load.poll() is None, "pgbench ended: the branch that was exported was idle"
    finally:
        load.kill()
        load.wait()
    with newest:
        with psycopg.connect(**newest.connection("databricks_postgres")) as conn:
            pgbench.assert_balanced(conn)
    for name, at, moment in (("by-lsn", lsn, {"lsn": lsn}), ("by-time", when.isoformat(), {"time": when})):
        branch_at(server, project, name, **moment)
        server.query(primary(project, name), "SELECT 1")
        with exported(server, project, 17, "--at", at) as copy:
            assert_equal(copy.contents(), contents_of(server, primary(project, name)))


def test_bad_input_is_refused_and_says_what_to_do(server, project, tmp_path):
    branch, target = PRODUCTION.format(project), tmp_path / "copy"
    full = tmp_path / "full"
    full.mkdir()
    (full / "mine").touch()
    server.query(primary(project), "SELECT 1")
    for arguments, status, parts in (
            ((PRODUCTION.format("nobody"), target), 4, ["find projects/nobody/branches/production"]),
            ((f"projects/{project}/branches/none", target), 4, ["branch id not found"]),
            (("production", target), 2, ["BRANCH"]),
            ((branch, full), 2, [f"{full} is not empty", "hint: name a directory"]),
            ((branch, full / "mine"), 2, ["is no directory"]),
            ((branch, tmp_path / "a/b/c"), 4, [str(tmp_path / "a/b/c")]),
            ((branch, target, "--at", "yesterday"), 2, ["--at yesterday is neither", "hint: write a time"]),
            ((branch, target, "--at", "2001-01-01T00:00:00Z"), 2, ["before", "hint: give a later moment"]),
            ((branch, target, "--at", "FF/0"), 2, ["ahead of the newest position"])):
        done = export(server, *arguments)
        assert done.returncode == status, (arguments, done.stdout, done.stderr)
        for part in parts:
            assert part in done.stderr, (arguments, done.stderr)
        assert not target.exists()
    done = export(server, branch, target, data=tmp_path / "nowhere")
    assert done.returncode == 4 and "hint: name the server's data directory" in done.stderr, done.stderr
    assert [p.name for p in full.iterdir()] == ["mine"]


def test_a_server_that_is_down_is_no_hindrance():
    with Server() as own:
        own.create_project("app")
        own.query(primary("app"), "CREATE TABLE t AS SELECT 7 AS n")
        before = contents_of(own, primary("app"))
        own.kill()
        processes.kill_all(own.root)
        with exported(own, "app", 17) as copy:
            assert_equal(copy.contents(), before)
