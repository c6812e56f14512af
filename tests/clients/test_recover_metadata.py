"""A lost metadata database, made anew: the same clients, hosts, branches, moments and snapshots."""

import os
import re
import shutil
import subprocess
import time

import pytest
from databricks.sdk.service.postgres import (Branch, BranchSpec, DailySchedule, Duration, FieldMask, Project, ProjectSpec,
                                             ScheduleCadence, Snapshot, SnapshotSchedule, SnapshotSpec)
from harness import backup, moments, processes, recovery, verify
from harness.server import PROJECT_ROOT, Server, primary
from test_moments import branch_at

DRILL = re.compile(r"<!-- drill -->\n```sh\n(.*?)```", re.DOTALL)
PRODUCTION = "projects/app/branches/production"
# They change by themselves: which computes run, what they take, and when they were last used.
OWN_LIFE = {"current_state", "pending_state", "last_active_time", "compute_last_active_time", "logical_size_bytes"}


def without_own_life(value):
    if isinstance(value, dict):
        return {k: without_own_life(v) for k, v in value.items() if k not in OWN_LIFE}
    return [without_own_life(each) for each in value] if isinstance(value, list) else value


def picture(server):
    """Every field of everything that the API lists, by name; and what each get says."""
    api, seen = server.api, {}

    def add(*resources):
        for each in resources:
            seen[each.name] = without_own_life(each.as_dict())
        return resources

    for project in add(*api.list_projects(show_deleted=True)):
        if getattr(project, "delete_time", None):
            continue
        add(api.get_project(name=project.name))
        add(*api.list_snapshots(parent=project.name))
        for branch in add(*api.list_branches(parent=project.name)):
            add(api.get_branch(name=branch.name))
            add(*api.list_endpoints(parent=branch.name), *api.list_roles(parent=branch.name), *api.list_databases(parent=branch.name))
            add(api.get_snapshot_schedule(name=f"{branch.name}/snapshot-schedule"))
    seen["me"] = server.client.current_user.me().as_dict()
    return seen


def assert_same(after, before):
    different = {name: (before.get(name), after.get(name)) for name in {*before, *after} if before.get(name) != after.get(name)}
    assert not different, "\n".join(f"{name}:\n  was {was}\n  is  {now}" for name, (was, now) in sorted(different.items()))


def fill(server):
    """Projects, nested branches, a snapshot, a schedule; things renamed, deleted, purged."""
    api = server.api
    for project in ("app", "other", "gone"):
        server.create_project(project)
    server.query(primary("app"), "CREATE TABLE t AS SELECT 1 AS n")
    (server.lsn,), = server.query(primary("app"), "SELECT pg_current_wal_flush_lsn()::text")
    server.query(primary("app"), "INSERT INTO t VALUES (2)")
    server.create_branch(PRODUCTION, "dev")
    server.create_branch("projects/app/branches/dev", "feature")
    api.create_branch(parent="projects/app", branch_id="short", branch=Branch(spec=BranchSpec(
        source_branch=PRODUCTION, ttl=Duration(seconds=86400)))).wait()
    for branch, purge in (("undo", False), ("purged", True)):
        server.create_branch(PRODUCTION, branch)
        api.delete_branch(name=f"projects/app/branches/{branch}", purge=purge).wait()
    api.create_snapshot(parent="projects/app", snapshot_id="two", snapshot=Snapshot(spec=SnapshotSpec(
        source_branch=PRODUCTION, no_expiry=True))).wait()
    api.update_snapshot_schedule(
        name=f"{PRODUCTION}/snapshot-schedule", update_mask=FieldMask(field_mask=["schedule"]),
        snapshot_schedule=SnapshotSchedule(schedule=[ScheduleCadence(
            retention=Duration(seconds=86400), daily_schedule=DailySchedule(hour=3))])).wait()
    server.update_endpoint(primary("app", "dev"), autoscaling_limit_min_cu=1.0, autoscaling_limit_max_cu=2.0)
    api.update_project(name="projects/other", update_mask=FieldMask(field_mask=["spec.display_name"]),
                       project=Project(name="projects/other", spec=ProjectSpec(display_name="Another name"))).wait()
    api.delete_project(name="projects/gone").wait()


@pytest.fixture(scope="module")
def own():
    with Server() as server:
        fill(server)
        yield server


def start_refused(server):
    with pytest.raises(RuntimeError) as refused:
        server.start()
    assert "recover-metadata" in str(refused.value)
    server.process = None


def test_the_drill_of_the_docs(own):
    before, runs = picture(own), own.postgres_of(primary("app"))[0]
    recovery.wait_until_recorded(own)
    token = own.token
    drill, = DRILL.findall((PROJECT_ROOT / "docs/operate/recover.md").read_text())
    drill = drill.replace("/srv/tarn", str(own.data)).replace("tarn serve --data-dir " + str(own.data), " ".join(own.command()))
    drill = re.sub(r"^tarn ", f"{own.program()} ", drill, flags=re.M)
    with open(own.log, "ab") as log:
        done = subprocess.Popen(["bash", "-euxc", drill + "\nwait"], stdout=log, stderr=log, start_new_session=True,
                                env={**os.environ, **own.environment, "TARN_ADDRESS_BLOCK": own.block})
    own.process.wait(timeout=60)
    own.process = done
    processes.wait_until(own.answers, "the server of the drill", 120)
    text = own.log.read_text()
    assert "the metadata database is empty" in text and "recovered 3 projects, 7 branches" in text, text[-3000:]
    assert own.token == token and runs.alive(), "the same token, and the compute went on"
    assert_same(picture(own), before)
    assert own.query(primary("app"), "SELECT count(*) FROM t") == [(2,)]
    for process in own.processes():
        if process.is_server:
            process.kill()
    done.wait(timeout=60)
    own.process = None
    own.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="others cannot make what is not theirs")
def test_what_root_makes_is_the_servers_users(own, tmp_path):
    nobody = 65534
    recovery.wait_until_recorded(own)
    own.stop()
    recovery.lose_database(own)
    (own.data / "server.lock").unlink()
    os.chown(own.data, nobody, nobody)
    done = recovery.run(own)
    assert done.returncode == 0, done.stderr
    backup.take(own, tmp_path / "place")
    made = [own.data / "meta.db", own.data / "server.lock", own.data / "backup", *(own.data / "backup").iterdir()]
    assert len(made) >= 5 and not [path for path in made if path.stat().st_uid != nobody]
    os.chown(own.data, 0, 0)
    own.start()


def test_and_then_everything_works(own):
    branch_at(own, "app", "past", lsn=own.lsn)
    assert own.query(primary("app", "past"), "SELECT count(*) FROM t") == [(1,)]
    own.api.create_branch(parent="projects/app", branch_id="of-two", branch=Branch(spec=BranchSpec(
        source_snapshot="projects/app/snapshots/two", no_expiry=True))).wait()
    assert own.query(primary("app", "of-two"), "SELECT count(*) FROM t") == [(2,)]
    assert own.query(primary("app", "feature"), "SELECT count(*) FROM t") == [(2,)]
    deleted, = [b for b in own.api.list_branches(parent="projects/app", show_deleted=True) if b.name.endswith("/undo")]
    own.api.undelete_branch(name=f"projects/app/branches/{deleted.uid}").wait()
    assert own.query(primary("app", "undo"), "SELECT count(*) FROM t") == [(2,)]


def test_records_are_behind_by_less_than_a_second_or_so(own):
    recovery.wait_until_recorded(own)
    begun = time.monotonic()
    own.create_branch(PRODUCTION, "fresh")
    recovery.wait_until_recorded(own)
    assert time.monotonic() - begun < 5  # on a machine that does much else


def test_a_database_that_is_not_lost_is_not_overwritten(own):
    running = recovery.run(own)
    assert running.returncode == 8 and "serves it already" in running.stderr, running.stderr
    own.stop()
    whole = recovery.run(own)
    assert whole.returncode != 0 and "it is not lost" in whole.stderr, whole.stderr
    other = own.root / "elsewhere.db"
    done = recovery.run(own, "--output", other)
    assert done.returncode == 0 and other.stat().st_size > 1 << 14, done.stderr
    own.start()


def test_an_older_database_copied_back_removes_nothing(own):
    own.stop()
    older = own.root / "older"
    older.mkdir()
    for path in own.data.glob("meta.db*"):
        shutil.copy(path, older)
    own.start()
    before = moments.lineages(own)
    own.create_branch(PRODUCTION, "late")
    lineage = (moments.lineages(own) - before).pop().name
    endpoint = primary("app", "late")
    own.query(endpoint, "INSERT INTO t VALUES (3)")
    recovery.wait_until_recorded(own)
    own.stop()
    recovery.lose_database(own)
    for path in older.glob("meta.db*"):
        shutil.copy(path, own.data)
    own.start()
    assert f"lineage {lineage} holds data and belongs to no branch" in own.log.read_text()
    found = verify.findings(own)
    assert found["verdict"] == "whole" and found["damage_count"] == 0, found
    note, = [each for each in found["orphans"] if each["path"].endswith(lineage)]
    assert "--attach-unnamed" in note["why"] and note["bytes"] > 0, note

    own.stop()
    recovery.lose_database(own)
    for path in (recovery.records(own) / "aside").glob("*.record"):
        path.rename(recovery.records(own) / path.name)
    done = recovery.run(own)
    assert done.returncode == 0 and "unnamed" not in done.stdout, done.stdout
    own.start()
    assert sorted(own.query(endpoint, "SELECT n FROM t")) == [(1,), (2,), (3,)]

    own.api.delete_branch(name="projects/app/branches/late", purge=True).wait()
    assert not (own.data / "store/lineages" / lineage).exists()
    assert not [each for each in verify.findings(own)["orphans"] if "attach-unnamed" in each["why"]]


def test_what_a_crash_kept_from_the_records_is_caught_up_with(own):
    before = picture(own)
    own.kill()
    uid = own_uid(before, "projects/app/branches/dev")
    (recovery.records(own) / f"branch-{uid}.record").unlink()
    damage(recovery.records(own) / f"branch-{own_uid(before, 'projects/app/branches/feature')}.record")
    (recovery.records(own) / "branch-br-nobody-knows-it.record").write_text("tarn record 1 00000000 0\n")
    assert not recovery.is_recorded(own)
    own.start()
    recovery.wait_until_recorded(own)
    assert (recovery.records(own) / "aside/branch-br-nobody-knows-it.record").exists()
    assert_same(picture(own), before)


def own_uid(seen, name):
    return seen[name]["uid"]


def damage(path):
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def test_damaged_records_are_named_and_the_rest_is_recovered(own):
    recovery.wait_until_recorded(own)
    before = picture(own)
    own.stop()
    records = recovery.records(own)
    uids = {name: own_uid(before, name) for name in ("projects/other", "projects/app/branches/feature", "projects/app/branches/dev")}
    damage(records / f"branch-{uids['projects/app/branches/feature']}.record")
    damage(records / f"project-{uids['projects/other']}.record")
    (records / f"branch-{uids['projects/app/branches/dev']}.record").unlink()
    (own.data / "meta.db").write_bytes(os.urandom(20000))
    start_refused(own)

    done = recovery.run(own)
    assert done.returncode == recovery.LOST, done.stdout + done.stderr
    for name in ("projects/app/branches/feature", "projects/other"):
        assert re.search(rf"^lost: .*{uids[name]}\.record: .*checksum", done.stdout, re.M), done.stdout
    assert len(re.findall(r"^unnamed: lineage .*of project app; --attach-unnamed", done.stdout, re.M)) == 2, done.stdout
    assert list(own.data.glob("meta.db.lost-*"))
    recovery.lose_database(own)
    again = recovery.run(own, "--attach-unnamed")
    attached = re.findall(r"^unnamed: lineage \w+, .*: now projects/app/branches/(recovered-\w+)$", again.stdout, re.M)
    assert len(attached) == 2, again.stdout
    own.start()
    after = picture(own)
    # Its branch's record may be older, and have an older name; nothing is let go of for what it says.
    assert after["projects/other"]["status"]["history_retention_duration"] == "3024000s"
    for each in (before["projects/other"], after["projects/other"]):
        for field in ("history_retention_duration", "display_name"):
            each["status"].pop(field)
        each.pop("update_time")
    lost = {name for name in before if re.match("projects/app/branches/(dev|feature)(/|$)", name)}
    assert_same({name: each for name, each in after.items() if "/recovered-" not in name},
                {name: each for name, each in before.items() if name not in lost})
    for branch in attached:
        assert own.query(primary("app", branch), "SELECT count(*) FROM t") == [(2,)]


def test_what_was_under_way_goes_on_and_storage_alone_is_enough(own):
    """The records as they are while a branch is made; then without any of them."""
    recovery.wait_until_recorded(own)
    operation = own.api.create_branch(parent="projects/app", branch_id="begun", branch=Branch(spec=BranchSpec(
        source_branch=PRODUCTION, no_expiry=True)))
    own.kill()
    names = {path.name for path in recovery.records(own).glob("*.record")}
    recovery.lose_database(own)
    done = recovery.run(own)
    assert done.returncode == 0, done.stdout + done.stderr
    own.start()
    made = [b for b in own.api.list_branches(parent="projects/app") if b.name.endswith("/begun")]
    recorded = {path.name for path in recovery.records(own).glob("branch-*")} - names
    assert len(made) <= 1 and (made or "unnamed" in done.stdout or not recorded), (operation.name(), done.stdout)

    own.stop()
    recovery.lose_database(own)
    seen = [recovery.rows_of(path)["branches"][0] for path in recovery.records(own).glob("branch-*.record")]
    unfinished, = [row["lineage"] for row in seen if row["id"] == "fresh"]
    for path in (own.data / "store/lineages" / unfinished).glob("0*"):
        shutil.rmtree(path)
    for path in recovery.records(own).glob("*.record"):
        path.unlink()
    done = recovery.run(own, "--attach-unnamed")
    assert f"note: lineage {unfinished} was being made, and holds nothing" in done.stdout, done.stdout
    assert done.returncode == 7 and "lost: all records" in done.stdout and "access tokens are lost" in done.stdout, done.stdout
    own._client = None
    own.start()
    found = 0
    for project in own.api.list_projects():
        assert project.name.startswith("projects/recovered-")
        for branch in own.api.list_branches(parent=project.name):
            rows = own.query(f"{branch.name}/endpoints/primary",
                             "SELECT CASE WHEN to_regclass('t') IS NOT NULL THEN 1 ELSE 0 END")
            found += rows[0][0]
    assert found >= 4, "branches of app, with their table"
