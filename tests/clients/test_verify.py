"""`tarn verify`: whole beside a running server and after kill -9, and the one byte that is not is named."""

import subprocess

import pytest
from harness import pgbench, processes, verify
from harness.faults import needs_trace
from harness.moments import branch_at
from harness.server import MAJORS, Server, primary
from harness.verify import assert_whole

BLOCK = 8192


@pytest.fixture
def own():
    with Server() as running:
        yield running


def lineages(server):
    return {p.name for p in (server.data / "store/lineages").iterdir()}


@pytest.mark.parametrize("major", MAJORS)
def test_a_store_that_is_written_to_is_whole_and_so_is_what_kill_9_leaves(own, major):
    own.create_project("app", major)
    parameters = own.connection(primary("app"))
    pgbench.initialise(parameters, 2)
    load = pgbench.start(parameters, "-c", 3, "-T", 300)
    try:
        for number in range(3):
            with own.superuser(primary("app")) as admin:
                admin.execute("CHECKPOINT")
            own.create_branch("projects/app/branches/production", f"b{number}")
            own.query(primary("app", f"b{number}"), "UPDATE pgbench_branches SET filler = 'mine'")
            assert_whole(own)
        assert load.poll() is None, "pgbench ended: verify looked at an idle server"
        own.kill()
        processes.kill_all(own.root)
    finally:
        load.kill()
        load.wait()
    before = verify.findings(own)
    assert before["verdict"] == "whole"
    assert before["pages"] > 3000 and before["wal_bytes"] > 1 << 20 and before["restore_points"] > 3
    own.start()
    with own.connect(primary("app")) as conn:
        pgbench.assert_balanced(conn)
    assert_whole(own)


def pages_with(lineage, marker):
    """[(file, offset of the page)] of all versions that hold the bytes, oldest first."""
    found = []
    for path in sorted(lineage.glob("*/*.pages")):
        content = path.read_bytes()
        at = content.find(marker)
        while at >= 0:
            found.append((path, at // BLOCK * BLOCK))
            at = content.find(marker, (at // BLOCK + 1) * BLOCK)
    return found


def flip(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def checkpoint(server, project):
    """A restore point is made of each checkpoint, a moment after it."""
    lineage = server.data / "store/lineages" / server.lineage_of[project]
    before = len(list(lineage.rglob("*.restore")))
    with server.superuser(primary(project)) as admin:
        admin.execute("CHECKPOINT")
    processes.wait_until(lambda: len(list(lineage.rglob("*.restore"))) > before, "the restore point of a checkpoint")


@pytest.fixture
def two_projects(own):
    """Projects `app` and `other`, and whose lineage is whose."""
    own.lineage_of = {}
    for project in ("app", "other"):
        before = lineages(own)
        own.create_project(project)
        own.lineage_of[project], = [name for name in lineages(own) - before if int(name, 16) > 1023]
        own.query(primary(project), "CREATE TABLE t AS SELECT 1 AS n")
    return own


def test_a_byte_of_the_past_is_named_and_nobody_else_is_hurt(two_projects):
    own = two_projects
    marker = "only in the past"
    own.query(primary("app"), f"CREATE TABLE past AS SELECT '{marker}' AS body FROM generate_series(1, 1000)")
    (path,), = own.query(primary("app"), "SELECT pg_relation_filepath('past')")
    checkpoint(own, "app")
    own.query(primary("app"), "TRUNCATE past")
    checkpoint(own, "app")
    assert_whole(own)
    lineage = own.data / "store/lineages" / own.lineage_of["app"]
    file, offset = pages_with(lineage, marker.encode())[0]
    flip(file, offset + 4000)

    done = verify.run(own)
    assert done.returncode == 7, done.stdout + done.stderr
    line, = [line for line in done.stdout.splitlines() if line.startswith("damage: ")]
    for part in (own.lineage_of["app"], f"block 0 of {path}", str(file), f"at byte {offset}", "moments: from "):
        assert part in line, line
    assert "\ndamaged: " in done.stdout and ", 1 damages, " in done.stdout, done.stdout
    found = verify.findings(own)
    for each in found["lineages"]:
        assert each["damage_count"] == (each["lineage"] == own.lineage_of["app"]), each
    hurt, = [each for each in found["lineages"] if each["damage_count"]]
    moments, = hurt["damages"][0]["moments"]
    assert "before" in moments, "the newest moment does not rest on that page"
    assert hurt["newest_whole"]["restore_point"] > max(hurt["damages"][0]["restore_points"])
    assert verify.run(own, "--lineage", own.lineage_of["other"]).returncode == 0
    assert verify.run(own, "--lineage", own.lineage_of["app"]).returncode == 7
    # And so it is: the branch of such a moment cannot read it, the newest moment has no need to.
    branch_at(own, "app", "hurt", lsn=moments["from"])
    with pytest.raises(Exception, match="could not read blocks|Input/output error"):
        own.query(primary("app", "hurt"), "SELECT count(*) FROM past")
    assert own.query(primary("app"), "SELECT count(*) FROM past") == [(0,)]


def test_the_newest_whole_moment_can_be_branched_from(two_projects):
    own = two_projects
    own.query(primary("app"), "CREATE TABLE kept AS SELECT n, 'first' AS body FROM generate_series(1, 100) n")
    checkpoint(own, "app")
    own.query(primary("app"), "UPDATE kept SET body = 'second version'")
    checkpoint(own, "app")
    file, offset = pages_with(own.data / "store/lineages" / own.lineage_of["app"], b"second version")[-1]
    flip(file, offset + 8000)
    hurt, = [each for each in verify.findings(own)["lineages"] if each["damage_count"]]
    assert "before" not in hurt["damages"][0]["moments"][0]
    branch_at(own, "app", "whole", lsn=hurt["newest_whole"]["lsn"])
    assert own.query(primary("app", "whole"), "SELECT DISTINCT body FROM kept") == [("second version",)]


def test_what_cannot_be_looked_at_is_no_damage(own, tmp_path):
    own.data = tmp_path / "nowhere"
    done = verify.run(own)
    assert done.returncode == 4 and "hint: name the server's data directory with --data-dir" in done.stderr
    assert not own.data.exists()


@needs_trace
def test_a_directory_that_cannot_be_read_is_no_empty_one(own, tmp_path):
    """What looks for files of the store must not take half a listing for all there is."""
    own.create_project("p", 17)
    own.stop()
    calls, command = tmp_path / "calls", [own.program(), "verify", "--data-dir", own.data]

    def run(*inject):
        return subprocess.run(["strace", "-f", "-y", "-o", calls, "-e", "trace=getdents64", *inject, *command],
                              capture_output=True, text=True, timeout=60)

    assert run().returncode == 0
    listed = [at for at, line in enumerate(calls.read_text().splitlines(), 1) if f"<{own.data}/store/lineages" in line]
    assert len(listed) > 10
    for at in listed[::len(listed) // 8]:
        done = run("-e", f"inject=getdents64:error=EIO:when={at}")
        said = done.stdout + done.stderr
        assert done.returncode != 0 and "Input/output error" in said, f"call {at} of {listed}: {done.returncode}, {said}"
