"""A branch restored to a moment, or reset to its parent, in place: as a user asks for it, over HTTP and with drivers."""

import threading
from datetime import datetime, timezone

import psycopg
import pytest
from databricks.sdk.errors import BadRequest
from harness import processes
from harness.server import MAJORS, Server, primary


@pytest.fixture(scope="module")
def own():
    with Server() as running:
        yield running


def ask(server, branch, verb, **body):
    """The operation, once it is done."""
    do = server.client.api_client.do
    operation = do("POST", f"/api/2.0/postgres/{branch}:{verb}", body=body)

    def done():
        nonlocal operation
        operation = do("GET", f"/api/2.0/postgres/{operation['name']}")
        return operation["done"]

    processes.wait_until(done, f"{verb} of {branch}", 60)
    return operation


def names(server, branch):
    return [name for name, in server.query(f"{branch}/endpoints/primary", "SELECT name FROM people ORDER BY 1")]


def people(server, project, major=17):
    """A project with two people, and the time when they were there."""
    server.create_project(project, major)
    server.query(primary(project), "CREATE TABLE people AS SELECT unnest(ARRAY['ada', 'grace']) AS name")
    return f"projects/{project}/branches/production", datetime.now(timezone.utc)


@pytest.mark.parametrize("major", MAJORS)
def test_a_branch_goes_back_in_place_and_what_it_was_is_kept(own, major):
    branch, before = people(own, f"back{major}", major)
    own.query(f"{branch}/endpoints/primary", "DELETE FROM people")
    deleted = datetime.now(timezone.utc)
    own.query(f"{branch}/endpoints/primary", "INSERT INTO people VALUES ('edsger')")
    host = own.api.get_endpoint(name=f"{branch}/endpoints/primary").status.hosts.host

    with own.connect(f"{branch}/endpoints/primary") as open_session:
        operation = ask(own, branch, "restore", source_branch_time=before.isoformat())
        assert operation["response"]["name"] == branch
        with pytest.raises(psycopg.errors.AdminShutdown):  # 57P01
            open_session.execute("SELECT 1")
    assert names(own, branch) == ["ada", "grace"]
    assert own.api.get_endpoint(name=f"{branch}/endpoints/primary").status.hosts.host == host
    kept = operation["metadata"]["preserved_branch"]
    assert names(own, kept) == ["edsger"]

    # The two go on apart, and the branch can go back further, and again.
    own.query(f"{branch}/endpoints/primary", "INSERT INTO people VALUES ('barbara')")
    assert names(own, kept) == ["edsger"]
    with pytest.raises(BadRequest, match="set aside when the branch was restored"):
        ask(own, branch, "restore", source_branch_time=deleted.isoformat())
    ask(own, branch, "restore", source_branch=kept, source_branch_time=deleted.isoformat(), preserve=False)
    assert names(own, branch) == []
    assert [b.name for b in own.api.list_branches(parent=f"projects/back{major}")] == sorted([branch, kept])
    ask(own, branch, "restore", source_branch=kept, preserve=False)
    assert names(own, branch) == ["edsger"]


def test_a_branch_is_reset_to_its_parent_again_and_again(own):
    parent, before = people(own, "again")
    branch = own.create_branch(parent, "dev").name
    for name in ("barbara", "edsger"):
        own.query(f"{branch}/endpoints/primary", "DROP TABLE people")
        own.query(f"{parent}/endpoints/primary", f"INSERT INTO people VALUES ('{name}')")
        operation = ask(own, branch, "reset")
        assert "preserved_branch" not in operation["metadata"]
        assert names(own, branch) == names(own, parent)
    ask(own, branch, "reset", source_branch_time=before.isoformat(), preserved_branch_id="kept")
    assert names(own, branch) == ["ada", "grace"]
    assert names(own, "projects/again/branches/kept") == names(own, parent)
    status = own.api.get_branch(name=branch).status
    assert status.source_branch == parent and status.source_branch_time.ToDatetime(timezone.utc) == before
    with pytest.raises(BadRequest, match="it has no parent"):
        ask(own, parent, "reset")


def test_who_connects_meanwhile_waits_and_sees_one_state_or_the_other(own):
    branch, before = people(own, "busy")
    own.query(f"{branch}/endpoints/primary", "DELETE FROM people")
    parameters = own.connection(f"{branch}/endpoints/primary")
    seen, stop = [], threading.Event()

    def connect_all_the_time():
        while not stop.is_set():
            try:
                with psycopg.connect(**parameters, autocommit=True) as conn:
                    seen.append(conn.execute("SELECT count(*) FROM people").fetchone()[0])
            except psycopg.OperationalError as error:  # it was connected, or logging in, when the restore came
                told = ("the branch was restored to another moment", "due to administrator command", "is shutting down")
                seen.append("57P01" if any(text in str(error) for text in told) else str(error))

    client = threading.Thread(target=connect_all_the_time)
    client.start()
    try:
        processes.wait_until(lambda: seen, "the first connection")
        for _ in range(3):
            ask(own, branch, "restore", source_branch_time=before.isoformat(), preserve=False)
            known = len(seen)
            processes.wait_until(lambda: len(seen) > known + 1, "a connection after the restore")
    finally:
        stop.set()
        client.join()
    assert set(seen) <= {0, 2, "57P01"}
    assert seen[0] == 0 and seen[-1] == 2
