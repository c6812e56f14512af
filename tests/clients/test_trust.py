"""What a branch's history costs, who pins it, and whether it is whole: in its status, `tarn status` and the log."""

import pytest
import struct
import subprocess

from databricks.sdk.service.postgres import (Branch, BranchSpec, Duration, FieldMask, Project, ProjectSpec, Snapshot,
                                             SnapshotSpec)
from harness import processes, verify
from harness.moments import promptly
from harness.server import TARN, Server, primary

BLOCK = 8192
BRANCH = "projects/{}/branches/{}"
NOW = "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"


@pytest.fixture(scope="module")
def own():
    with Server(options=["--scrub-every", "1s", "--scrub-rate", "1000", "--restore-check-every", "0s"]) as running:
        yield running


def get(server, project, branch="production"):
    """The branch as the API has it, with Tarn's own fields, which the SDK leaves out."""
    return server.client.api_client.do("GET", "/api/2.0/postgres/" + BRANCH.format(project, branch))["status"]


def wait_for(server, project, condition, what, branch="production"):
    return processes.wait_until(lambda: (lambda s: s if condition(s) else None)(get(server, project, branch)), what, every=0.1)


def cli(server, *words):
    return subprocess.run([str(TARN), *words], env=server.client_environment(), capture_output=True, text=True, timeout=120)


def create(server, project):
    """A project, and the directory of its lineage."""
    known = set((server.data / "store/lineages").iterdir())
    server.create_project(project)
    directory, = [p for p in set((server.data / "store/lineages").iterdir()) - known if int(p.name, 16) > 1023]
    return directory


def checkpoint(server, project, lineage):
    before = len(list(lineage.rglob("*.restore")))
    with server.superuser(primary(project)) as admin:
        admin.execute("CHECKPOINT")
    processes.wait_until(lambda: len(list(lineage.rglob("*.restore"))) != before, "the restore point of a checkpoint")


def bytes_of_pages(lineage):
    """What the pages of its log take, packed or not."""
    zeros = bytes(BLOCK)
    total = 0
    for path in lineage.glob("*/*.pages"):
        with path.open("rb") as file:
            while page := file.read(BLOCK):
                total += BLOCK * (page != zeros)
    for path in lineage.glob("*/*.packed"):
        content = path.read_bytes()
        count, = struct.unpack_from("<I", content, 28)
        total += sum(packed for _, packed, _ in struct.iter_unpack("<HHI", content[1072:1072 + 8 * count]))
    return total


def wal_bytes_of(lineage):
    return sum(p.stat().st_size for name in ("wal", "wal_archive") for p in lineage.glob(f"*/{name}/*") if p.is_file())


def stub_bytes(server, endpoint):
    """The lengths of all files of pages in the data directory of an endpoint, as PostgreSQL sees them."""
    pgdata = server.data / "endpoints" / server.api.get_endpoint(name=endpoint).uid / "pgdata"
    folders = [pgdata / "global", *(pgdata / "base").glob("[0-9]*"), pgdata / "pg_xact", pgdata / "pg_multixact/members",
               pgdata / "pg_multixact/offsets", pgdata / "pg_commit_ts"]
    return sum(p.stat().st_size for folder in folders if folder.is_dir() for p in folder.iterdir()
               if p.name[0] in "0123456789ABCDEF")


def settled(server, project, condition=lambda history: True):
    """The history of a branch that sleeps, measured after it fell asleep."""
    server.wait_for_state(primary(project), "IDLE")
    asleep = get(server, project)["history"]["measure_time"]
    status = wait_for(server, project, lambda s: s["history"]["measure_time"] > asleep and condition(s["history"]),
                      f"the history of {project} is measured")
    again = status["history"]["measure_time"]
    return wait_for(server, project, lambda s: s["history"]["measure_time"] > again, "and once more")


def test_what_history_takes_and_who_pins_it_is_told_to_the_byte(own):
    lineage = create(own, "costs")
    own.suspend_after(primary("costs"), 1)
    own.query(primary("costs"), "CREATE TABLE t (n int, s text) WITH (fillfactor = 50); "
                                "INSERT INTO t SELECT n, repeat('x', 500) FROM generate_series(1, 3000) n")
    checkpoint(own, "costs", lineage)
    promptly(own.api.create_branch(parent="projects/costs", branch_id="child", branch=Branch(
        spec=BranchSpec(source_branch=BRANCH.format("costs", "production"), no_expiry=True))))
    promptly(own.api.create_snapshot(parent="projects/costs", snapshot_id="snap", snapshot=Snapshot(
        spec=SnapshotSpec(source_branch=BRANCH.format("costs", "production"), no_expiry=True))))
    own.query(primary("costs"), "UPDATE t SET s = repeat('y', 500)")
    checkpoint(own, "costs", lineage)
    own.query(primary("costs"), "UPDATE t SET s = repeat('z', 500)")
    # x, which a branch and a snapshot began from, and y, which is packed.
    before = settled(own, "costs", lambda h: 429 * BLOCK < h["version_bytes"] < 600 * BLOCK)
    before_bytes = bytes_of_pages(lineage)
    assert len(list(lineage.glob("*/*.packed"))) == 1
    history = before["history"]
    assert history["wal_bytes"] == wal_bytes_of(lineage)
    assert history["restore_points"] == len(list(lineage.rglob("*.restore")))
    assert "failure" not in history
    names = {name: pin for pin in history["pins"] for name in pin["pinned_by"]}
    assert set(names) == {BRANCH.format("costs", "child"), "projects/costs/snapshots/snap"}
    assert before["logical_size_bytes"] == stub_bytes(own, primary("costs")), "asleep"
    # A branch that never ran is as large as what it was made from was then.
    child = get(own, "costs", "child")
    assert "state" not in child and child["logical_size_bytes"] <= before["logical_size_bytes"]
    assert child["source_pinned_bytes"] == names[BRANCH.format("costs", "child")]["bytes"]
    snap = own.client.api_client.do("GET", "/api/2.0/postgres/projects/costs/snapshots/snap")["status"]
    assert snap["source_pinned_bytes"] == names["projects/costs/snapshots/snap"]["bytes"]

    # Only the pins are left when the retention has let go of everything else.
    promptly(own.api.update_project(
        name="projects/costs", update_mask=FieldMask(field_mask=["spec.history_retention_duration"]),
        project=Project(spec=ProjectSpec(history_retention_duration=Duration(seconds=1)))))
    pinned = settled(own, "costs", lambda h: 0 < h["pinned_bytes"] < history["version_bytes"])
    assert before_bytes - bytes_of_pages(lineage) == history["version_bytes"] - pinned["history"]["version_bytes"]
    pinned_bytes = bytes_of_pages(lineage)
    own.client.api_client.do("DELETE", "/api/2.0/postgres/" + BRANCH.format("costs", "child"), query={"purge": "true"})
    own.client.api_client.do("DELETE", "/api/2.0/postgres/projects/costs/snapshots/snap")
    free = settled(own, "costs", lambda h: not [p for p in h["pins"] if p["pinned_by_count"]])
    assert free["history"]["pinned_bytes"] == 0
    freed = pinned["history"]["version_bytes"] - free["history"]["version_bytes"]
    assert freed >= pinned["history"]["pinned_bytes"] > 0
    assert pinned_bytes - bytes_of_pages(lineage) == freed


def flip(path, offset):
    with path.open("r+b") as file:
        file.seek(offset)
        byte = file.read(1)[0]
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def slot_with(lineage, marker):
    for path in sorted(lineage.glob("*/*.pages")):
        if (at := path.read_bytes().find(marker)) >= 0:
            return path, at // BLOCK * BLOCK
    raise AssertionError(f"no page has {marker}")


def test_the_scrubber_finds_a_byte_and_says_what_it_hurts(own):
    lineage = create(own, "scrubbed")
    own.query(primary("scrubbed"), "CREATE TABLE past AS SELECT 'only in the past' AS body FROM generate_series(1, 1000)")
    (path,), = own.query(primary("scrubbed"), "SELECT pg_relation_filepath('past')")
    checkpoint(own, "scrubbed", lineage)
    own.query(primary("scrubbed"), "TRUNCATE past")
    checkpoint(own, "scrubbed", lineage)
    own.create_project("unhurt")
    whole = wait_for(own, "scrubbed", lambda s: s.get("verification", {}).get("result") == "WHOLE", "verified whole")
    assert whole["verification"]["whole_time"] == whole["verification"]["time"]

    file, offset = slot_with(lineage, b"only in the past")
    flip(file, offset + 4000)
    hurt = wait_for(own, "scrubbed", lambda s: s["verification"]["result"] == "DAMAGED", "the damage is found")["verification"]
    line, = hurt["damages"]
    for part in (f"block 0 of {path}", str(file), f"at byte {offset}", "moments: from "):
        assert part in line, line
    assert hurt["damage_count"] == 1 and hurt["whole_time"] < hurt["time"] and "newest_whole_lsn" in hurt
    told = f"control: damage: branch {BRANCH.format('scrubbed', 'production')} (lineage {lineage.name}): {line}"
    assert told in own.log.read_text()
    found = wait_for(own, "unhurt", lambda s: s.get("verification", {}).get("time", "") > hurt["time"], "the other is verified")
    assert found["verification"]["result"] == "WHOLE"
    shown = cli(own, "status").stdout
    assert f"block 0 of {path}" in shown and "DAMAGED" in shown, shown
    assert f"damage: branch {BRANCH.format('scrubbed', 'production')} (lineage {lineage.name}): " in verify.run(own).stdout

    # The next server knows it at once, and goes on.
    own.kill()
    own.start()
    kept = get(own, "scrubbed")["verification"]
    assert kept["result"] == "DAMAGED" and kept["time"] >= hurt["time"]
    wait_for(own, "scrubbed", lambda s: s["verification"]["time"] > kept["time"], "the next round")
    flip(file, offset + 4000)
    wait_for(own, "scrubbed", lambda s: s["verification"]["result"] == "WHOLE", "whole again")


def test_a_restore_point_that_cannot_be_read_is_told_with_the_history(own):
    lineage = create(own, "stuck")
    own.query(primary("stuck"), "CREATE TABLE t AS SELECT 1 AS n")
    checkpoint(own, "stuck", lineage)
    checkpoint(own, "stuck", lineage)
    wait_for(own, "stuck", lambda s: "history" in s and "failure" not in s["history"], "a history without failure")
    point = sorted(lineage.rglob("*.restore"))[1]
    flip(point, 100)
    checkpoint(own, "stuck", lineage)
    failure = wait_for(own, "stuck", lambda s: "failure" in s["history"], "the failure")["history"]["failure"]
    assert point.name in failure or str(int(point.name.split(".")[0])) in failure, failure
    assert "looking after its history failed: " + failure in cli(own, "status").stdout
    flip(point, 100)
    wait_for(own, "stuck", lambda s: "failure" not in s["history"], "it is trimmed again")


def nothing_hidden(server):
    """No compute, lineage or branch of a check stays."""
    def gone():
        listed = [b.uid for p in server.api.list_projects() for b in server.api.list_branches(parent=p.name)]
        snapshots = [s for p in server.api.list_projects() for s in server.api.list_snapshots(parent=p.name)]
        lineages = len(list((server.data / "store/lineages").iterdir()))
        return lineages == len(listed) + len(snapshots) + len(list((server.data / "templates").iterdir()))

    processes.wait_until(gone, "what the checks made is gone", 30)


def test_a_restore_check_finds_what_no_checksum_can(own):
    """An index that does not fit its table any more: its function, said to be immutable, gives other answers."""
    branch = BRANCH.format("checked", "production")
    create(own, "checked")
    own.query(primary("checked"), "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n; "
                                  "CREATE FUNCTION f(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n'; "
                                  "CREATE INDEX misfit ON t (f(n))")
    with own.superuser(primary("checked")) as admin:
        admin.execute("CREATE EXTENSION amcheck")
    good = cli(own, "check-restore", branch)
    assert good.returncode == 0 and "GOOD" in good.stdout, good.stdout + good.stderr
    # What cannot be looked at is a failure, and does not count as looked at.
    own.query(primary("checked"), "CREATE OR REPLACE FUNCTION f(n int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS "
                                  "'BEGIN RAISE ''it does not want to''; END'")
    (now,), = own.query(primary("checked"), NOW)
    unseen = cli(own, "check-restore", branch, "--time", now)
    assert unseen.returncode == 7 and "misfit of database databricks_postgres: it does not want to" in unseen.stdout, unseen.stdout
    check = get(own, "checked")["restore_check"]
    assert check["failure_count"] == 1 and check["relations"] > 100
    seen = check["relations"]
    own.query(primary("checked"), "CREATE OR REPLACE FUNCTION f(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT -n'")
    (now,), = own.query(primary("checked"), NOW)
    bad = cli(own, "check-restore", branch, "--time", now)
    assert bad.returncode == 7, bad.stdout + bad.stderr
    assert "index misfit of database databricks_postgres: " in bad.stdout, bad.stdout
    check = get(own, "checked")["restore_check"]
    assert check["result"] == "FAILED" and check["failure_count"] == 1 and check["relations"] == seen + 1
    assert check["good_time"] < check["time"] and "index misfit" in check["failures"][0]
    assert f"control: restore check of branch {branch} at " in own.log.read_text()
    nothing_hidden(own)
    own.query(primary("checked"), "DROP TABLE t")
    (now,), = own.query(primary("checked"), NOW)
    assert cli(own, "check-restore", branch, "--time", now).returncode == 0
    refused = cli(own, "check-restore", branch, "--time", "2001-01-01T00:00:00Z")
    assert refused.returncode == 2 and "before your project was created" in refused.stderr, refused.stderr


def test_checks_are_made_by_the_clock_and_a_killed_server_leaves_nothing(own):
    own.options[-1] = "1s"
    own.restart()
    projects = [p.name.split("/")[1] for p in own.api.list_projects()]

    def checks():
        return [c["time"] for c in (get(own, p).get("restore_check") for p in projects) if c]

    made = checks()
    processes.wait_until(lambda: set(checks()) - set(made), "a check by the clock")
    endpoints = own.data / "endpoints"
    known = {own.api.get_endpoint(name=primary(p)).uid for p in projects}
    processes.wait_until(lambda: {p.name for p in endpoints.iterdir()} - known, "a check under way", every=0.005)
    own.kill()
    own.options[-1] = "0s"
    own.start()
    nothing_hidden(own)
    processes.wait_until(lambda: not {p.name for p in endpoints.iterdir()} - known, "its compute is gone")
