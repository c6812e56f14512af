"""Branches of past moments, asked for as a user does; and history that the project no longer wants."""

from datetime import datetime, timezone

import pytest
from databricks.sdk.errors import BadRequest
from databricks.sdk.service.postgres import Duration, FieldMask, Project, ProjectSpec
from harness import processes
from harness.moments import branch_at, lineages
from harness.server import MAJORS, Server, primary


@pytest.fixture(scope="module")
def own():
    with Server() as running:
        yield running


def names(server, project, branch="production"):
    return [name for name, in server.query(primary(project, branch), "SELECT name FROM people ORDER BY 1")]


@pytest.mark.parametrize("major", MAJORS)
def test_what_was_deleted_is_on_a_branch_of_the_time_before(own, major):
    project = f"past{major}"
    own.create_project(project, major)
    own.query(primary(project), "CREATE TABLE people AS SELECT unnest(ARRAY['ada', 'grace']) AS name")
    before = datetime.now(timezone.utc)
    position = own.query(primary(project), "SELECT pg_current_wal_lsn()::text")[0][0]
    own.query(primary(project), "DELETE FROM people")

    by_time = branch_at(own, project, "by-time", time=before)
    by_lsn = branch_at(own, project, "by-lsn", lsn=position)
    assert names(own, project, "by-time") == names(own, project, "by-lsn") == ["ada", "grace"]
    assert names(own, project) == []
    assert by_time.status.source_branch_time.ToDatetime(timezone.utc) == before
    assert by_lsn.status.source_branch_lsn
    # Its owner is who he was; and it is a branch like any other.
    own.query(primary(project, "by-time"), "INSERT INTO people VALUES ('edsger')")
    assert names(own, project, "by-lsn") == ["ada", "grace"]


def test_history_goes_with_the_retention_while_the_branch_is_written_to(own):
    project = "short"
    others = lineages(own)
    own.create_project(project)
    lineage, = lineages(own) - others
    own.query(primary(project), "CREATE TABLE people (name text)")
    begin = datetime.now(timezone.utc)
    own.api.update_project(name=f"projects/{project}", update_mask=FieldMask(field_mask=["spec.history_retention_duration"]),
                           project=Project(spec=ProjectSpec(history_retention_duration=Duration(seconds=3)))).wait()
    written, seen = 0, set()

    def three_have_gone():
        """A checkpoint makes a restore point."""
        nonlocal written
        with own.connect(primary(project)) as conn, own.superuser(primary(project)) as admin:
            conn.execute("INSERT INTO people SELECT 'n' || n FROM generate_series(1, 1000) n")
            written += 1000
            admin.execute("CHECKPOINT")
        there = set(lineage.rglob("*.restore"))
        seen.update(there)
        return len(seen - there) >= 3

    processes.wait_until(three_have_gone, "the first restore points to go", 60)
    with pytest.raises(BadRequest) as raised:
        branch_at(own, project, "too-old", time=begin)
    assert "history retention of 3s begins" in str(raised.value)
    position = own.query(primary(project), "SELECT pg_current_wal_lsn()::text")[0][0]
    branch_at(own, project, "now", lsn=position)
    assert len(names(own, project, "now")) == len(names(own, project)) == written
