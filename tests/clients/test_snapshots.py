"""Snapshots and their schedules, by the newest SDK."""

import pytest
from databricks.sdk.errors import BadRequest, NotFound
from databricks.sdk.service import postgres
from harness import processes
from harness.server import MAJORS, Server, primary


@pytest.fixture(scope="module")
def own():
    with Server() as running:
        yield running


def rows(server, branch):
    return server.query(f"{branch}/endpoints/primary", "SELECT count(*) FROM t")[0][0]


def take(server, project, snapshot_id, **spec):
    return server.api.create_snapshot(
        parent=f"projects/{project}", snapshot_id=snapshot_id,
        snapshot=postgres.Snapshot(spec=postgres.SnapshotSpec(**spec))).wait()


def branch_from(server, snapshot, branch_id):
    project = snapshot.split("/snapshots/")[0]
    return server.api.create_branch(parent=project, branch_id=branch_id, branch=postgres.Branch(
        spec=postgres.BranchSpec(source_snapshot=snapshot, no_expiry=True))).wait()


@pytest.mark.parametrize("major", MAJORS)
def test_a_snapshot_is_branched_from_after_its_branch_is_gone(own, major):
    project = f"snap{major}"
    own.create_project(project, major)
    branch = own.create_branch(f"projects/{project}/branches/production", "dev").name
    own.query(f"{branch}/endpoints/primary", "CREATE TABLE t AS SELECT generate_series(1, 1000)")
    snapshot = take(own, project, "thousand", source_branch=branch, no_expiry=True)
    assert snapshot.status.source_branch == branch and snapshot.status.no_expiry
    assert snapshot.status.full_size_bytes > 1 << 20
    own.query(f"{branch}/endpoints/primary", "DROP TABLE t")
    own.api.delete_branch(name=branch, purge=True).wait()

    again = branch_from(own, snapshot.name, "again")
    assert again.status.source_snapshot == snapshot.name
    assert rows(own, again.name) == 1000
    own.query(f"{again.name}/endpoints/primary", "DELETE FROM t")
    assert rows(own, branch_from(own, snapshot.name, "once-more").name) == 1000
    assert [s.name for s in own.api.list_snapshots(parent=f"projects/{project}")] == [snapshot.name]

    own.api.delete_snapshot(name=snapshot.name).wait()
    with pytest.raises(NotFound):
        own.api.get_snapshot(name=snapshot.name)
    assert rows(own, again.name) == 0


def test_a_branch_is_restored_from_a_snapshot(own):
    own.create_project("undo")
    branch = "projects/undo/branches/production"
    own.query(primary("undo"), "CREATE TABLE t AS SELECT generate_series(1, 10)")
    snapshot = take(own, "undo", "ten", source_branch=branch, ttl=postgres.Duration(seconds=3600))
    assert snapshot.status.expire_time
    own.query(primary("undo"), "DELETE FROM t")
    do = own.client.api_client.do
    operation = do("POST", f"/api/2.0/postgres/{branch}:restore", body={"source_snapshot": snapshot.name, "preserve": False})
    processes.wait_until(lambda: do("GET", f"/api/2.0/postgres/{operation['name']}")["done"], "the restore")
    assert rows(own, branch) == 10
    with pytest.raises(BadRequest, match="must lie in the future"):
        take(own, "undo", "late", source_branch=branch, ttl=postgres.Duration(seconds=-1))


def test_a_schedule_is_what_was_set(own):
    own.create_project("often")
    name = "projects/often/branches/production/snapshot-schedule"
    assert not own.api.get_snapshot_schedule(name=name).schedule
    day = postgres.ScheduleCadence(retention=postgres.Duration(seconds=86400), daily_schedule=postgres.DailySchedule(hour=3))
    week = postgres.ScheduleCadence(retention=postgres.Duration(seconds=864000),
                                    weekly_schedule=postgres.WeeklySchedule(day_of_week=postgres.DayOfWeek.SUNDAY, hour=0))
    set_to = own.api.update_snapshot_schedule(name=name, update_mask=postgres.FieldMask(field_mask=["schedule"]),
                                     snapshot_schedule=postgres.SnapshotSchedule(schedule=[day, week])).wait()
    assert set_to.name == name and len(set_to.schedule) == 2
    assert [c.as_dict() for c in own.api.get_snapshot_schedule(name=name).schedule] == [day.as_dict(), week.as_dict()]
