"""Malformed requests, through the SDK where it lets them out and raw where it does not.

Each is answered with the contract's error, and changes nothing.
"""

import json
import threading
import urllib.error
import urllib.request

import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import (AlreadyExists, BadRequest, DatabricksError, InvalidParameterValue, NotFound,
                                   ResourceConflict, Unauthenticated)
from databricks.sdk.service.postgres import (Branch, BranchSpec, Duration, Endpoint, EndpointSpec, EndpointType,
                                             FieldMask, Project, ProjectDefaultEndpointSettings, ProjectSpec)
from harness.server import primary

READ_WRITE = EndpointType.ENDPOINT_TYPE_READ_WRITE


def raw(server, method, path, body=None, token=None, headers=()):
    """(status, parsed body) of one request, with nothing between us and the server."""
    data = body if isinstance(body, (bytes, type(None))) else json.dumps(body).encode()
    request = urllib.request.Request(f"{server.url}/api/2.0/postgres{path}", data=data, method=method, headers={
        "Authorization": f"Bearer {server.token if token is None else token}", "Content-Type": "application/json",
        **dict(headers)})
    try:
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as response:
            return response.status, json.loads(response.read() or b"{}")
    except urllib.error.HTTPError as error:
        return error.code, json.loads(error.read() or b"{}")


@pytest.fixture(autouse=True)
def nothing_changes(server, shared_endpoint, request):
    """Every test here fails at what it asks for, so what there is stays as it was."""
    if "project" in request.fixturenames:
        request.getfixturevalue("project")
    before = snapshot(server)
    yield
    if "changes" not in request.keywords:
        assert snapshot(server) == before


def snapshot(server):
    found = {}
    for project in server.api.list_projects():
        found[project.name] = project.status.display_name
        for branch in server.api.list_branches(parent=project.name):
            found[branch.name] = branch.status.is_protected
            for endpoint in server.api.list_endpoints(parent=branch.name):
                status = endpoint.status
                found[endpoint.name] = (status.autoscaling_limit_min_cu, status.autoscaling_limit_max_cu, status.disabled)
    return found


# Ids

@pytest.mark.parametrize("project_id", ["", "A", "-a", "a-", "a_b", "1a", "a" * 64, "a b", "a/b", "ä", "a%00b", "..", "a'--"])
def test_a_malformed_project_id(server, project_id):
    with pytest.raises(InvalidParameterValue) as raised:
        server.api.create_project(project=Project(spec=ProjectSpec(pg_version=17)), project_id=project_id)
    assert "project_id" in str(raised.value)


@pytest.mark.parametrize("name", ["projects/none", "projects/none/branches/production",
                                  "projects/{}/branches/none", "projects/{}/branches/production/endpoints/none"])
def test_what_does_not_exist_is_not_found(server, shared_endpoint, name):
    name = name.format(shared_endpoint.split("/")[1])
    get = {2: server.api.get_project, 4: server.api.get_branch, 6: server.api.get_endpoint}[len(name.split("/"))]
    with pytest.raises(NotFound) as raised:
        get(name=name)
    assert "not found" in str(raised.value)


@pytest.mark.parametrize("path", ["/nothing", "/projects/x/y", "/projects/p1/branches/production/nothing/x",
                                  "/projects//branches", "/operations/x", "/projects/%2e%2e/branches"])
def test_a_path_that_is_no_resource(server, path):
    status, body = raw(server, "GET", path)
    assert (status, body["error_code"]) == (404, "NOT_FOUND"), body


@pytest.mark.parametrize("method,path", [("PUT", "/projects"), ("DELETE", "/projects"), ("PATCH", "/credentials"),
                                         ("PUT", "/projects/none"), ("GET", "/credentials")])
def test_a_wrong_method(server, method, path):
    status, body = raw(server, method, path, body={} if method != "GET" else None)
    assert status in (404, 405) and body["error_code"], body


def test_an_operation_that_never_was(server, shared_endpoint):
    project = "/".join(shared_endpoint.split("/")[:2])
    with pytest.raises(NotFound):
        server.api.get_operation(name=f"{project}/operations/00000000-0000-0000-0000-000000000000")


# Bodies

@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"null", b'"x"', b"\xff\xfe", b'{"spec": 1}', b'{"spec": {"pg_version": {}}}',
                                  b'{"spec": {"pg_version": "seventeen"}}', b'{"spec": {"pg_version": 17.5}}',
                                  b'{"spec": {"display_name": 5}}', b"[" * 20000, b'{"a":' * 20000])
def test_a_malformed_body(server, body):
    status, answer = raw(server, "POST", "/projects?project_id=malformed", body=body)
    assert status == 400 and answer["error_code"] in ("INVALID_PARAMETER_VALUE", "MALFORMED_REQUEST", "BAD_REQUEST"), answer
    assert answer["details"][0]["request_id"], answer


def test_an_oversized_body(server):
    try:
        status, answer = raw(server, "POST", "/projects?project_id=oversized", body=b'{"spec":{"display_name":"' + b"x" * 30_000_000 + b'"}}')
        assert status in (400, 413), answer
    except (urllib.error.URLError, ConnectionError):
        pass  # closed while we were still sending: refused just as well
    assert server.answers()


@pytest.mark.parametrize("version", [0, -1, 9, 15, 19, 2**31, 2**63])
def test_an_unknown_major(server, version):
    with pytest.raises(BadRequest) as raised:
        server.api.create_project(project=Project(spec=ProjectSpec(pg_version=version)), project_id="unknown-major")
    assert "pg_version" in str(raised.value)


@pytest.mark.parametrize("retention", ["1", "xs", "-1s", "1e9s", "9999999999999999999s", "604800000ms", ""])
def test_a_malformed_duration(server, retention):
    status, answer = raw(server, "POST", "/projects?project_id=malformed-duration",
                         body={"spec": {"pg_version": 17, "history_retention_duration": retention}})
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer


def test_a_setting_that_postgresql_refuses_is_named(server, project_ids):
    """What was made is taken back, the log with it: so the error says why, and points at no file."""
    settings = ProjectDefaultEndpointSettings(pg_settings={"work_mem": "much"})
    with pytest.raises(Exception, match='invalid value for parameter "work_mem": "much"') as raised:
        server.api.create_project(project=Project(spec=ProjectSpec(pg_version=17, default_endpoint_settings=settings)),
                                  project_id=next(project_ids)).wait()
    assert str(server.data) not in str(raised.value)


# Logins

@pytest.mark.parametrize("token", ["", "x", "Bearer", "a.b.c", "\u00e9".encode().decode("latin-1"), "x" * 10000])
def test_a_wrong_bearer_token(server, token):
    status, answer = raw(server, "GET", "/projects", token=token)
    assert status in (400, 401, 403) and answer.get("error_code") != "INTERNAL_ERROR", answer


def test_the_sdk_calls_a_wrong_token_unauthenticated(server):
    with pytest.raises(Unauthenticated):
        list(WorkspaceClient(host=server.url, token="dapi-wrong").postgres.list_projects())


@pytest.mark.parametrize("endpoint", ["", "x", "projects/none/branches/production/endpoints/primary", "projects/p1"])
def test_a_credential_for_no_endpoint(server, endpoint):
    with pytest.raises((NotFound, BadRequest)):
        server.api.generate_database_credential(endpoint=endpoint)


# Branches

def test_a_branch_needs_an_expiry(server, shared_endpoint):
    with pytest.raises(BadRequest) as raised:
        server.api.create_branch(parent="/".join(shared_endpoint.split("/")[:2]), branch_id="no-expiry",
                                 branch=Branch(spec=BranchSpec(source_branch=shared_endpoint.split("/endpoints")[0])))
    assert "Expiration must be specified" in str(raised.value)


@pytest.mark.parametrize("spec", [
    {"source_branch": "projects/none/branches/production", "no_expiry": True},
    {"source_branch": "nonsense", "no_expiry": True},
    {"no_expiry": False},
    {"no_expiry": True, "ttl": "3600s"},
    {"ttl": "-5s"},
    {"ttl": "2592001s"},  # more than 30 days
    {"expire_time": "2001-01-01T00:00:00Z"},
    {"expire_time": "tomorrow"},
    {"no_expiry": True, "source_branch_lsn": "nonsense"},
    {"no_expiry": True, "source_branch_lsn": "0/1"},
    {"no_expiry": True, "source_branch_lsn": "FFFF/0"},
    {"no_expiry": True, "source_branch_lsn": "0/2000000", "source_branch_time": "2026-01-01T00:00:00Z"},
    {"no_expiry": True, "source_branch_time": "2099-01-01T00:00:00Z"},
    {"no_expiry": True, "source_branch_time": "2001-01-01T00:00:00Z"},
])
def test_a_malformed_branch(server, shared_endpoint, spec):
    project = "/".join(shared_endpoint.split("/")[:2])
    status, answer = raw(server, "POST", f"/{project}/branches?branch_id=malformed", body={"spec": spec})
    assert status in (400, 404) and answer["error_code"] in ("INVALID_PARAMETER_VALUE", "BAD_REQUEST", "NOT_FOUND"), answer


def test_the_root_branch_cannot_be_deleted(server, shared_endpoint):
    with pytest.raises(BadRequest) as raised:
        server.api.delete_branch(name=shared_endpoint.split("/endpoints")[0])
    assert "root branch" in str(raised.value)


@pytest.mark.changes
def test_a_branch_with_children_cannot_be_deleted(server, project):
    production = f"projects/{project}/branches/production"
    parent = server.create_branch(production, "parent").name
    server.create_branch(parent, "child")
    with pytest.raises(BadRequest):
        server.api.delete_branch(name=parent)
    assert server.api.get_branch(name=parent).status.current_state.value == "READY"


@pytest.mark.changes
def test_a_protected_branch_cannot_be_deleted(server, project):
    name = server.create_branch(f"projects/{project}/branches/production", "kept").name
    server.api.update_branch(name=name, branch=Branch(spec=BranchSpec(is_protected=True)),
                             update_mask=FieldMask(field_mask=["spec.is_protected"])).wait()
    with pytest.raises(BadRequest) as raised:
        server.api.delete_branch(name=name)
    assert "protected" in str(raised.value)


# Endpoints and masks

@pytest.mark.parametrize("mask,spec", [
    (["spec.nothing"], {}),
    (["nonsense"], {}),
    ([""], {}),
    (["spec.autoscaling_limit_min_cu"], {}),  # masked, not given
    (["spec.autoscaling_limit_min_cu"], {"autoscaling_limit_min_cu": -1.0}),
    (["spec.autoscaling_limit_max_cu"], {"autoscaling_limit_max_cu": 0.1}),
    (["spec.autoscaling_limit_max_cu"], {"autoscaling_limit_max_cu": 1e9}),
    (["spec.autoscaling_limit_min_cu", "spec.autoscaling_limit_max_cu"],
     {"autoscaling_limit_min_cu": 8.0, "autoscaling_limit_max_cu": 2.0}),
    (["spec.autoscaling_limit_min_cu", "spec.autoscaling_limit_max_cu"],
     {"autoscaling_limit_min_cu": 1.0, "autoscaling_limit_max_cu": 32.0}),
    (["spec.suspend_timeout_duration"], {"suspend_timeout_duration": Duration(seconds=604801)}),
    (["spec.no_suspension"], {"no_suspension": False}),
])
def test_a_bad_update(server, shared_endpoint, mask, spec):
    with pytest.raises(BadRequest):
        server.api.update_endpoint(name=shared_endpoint, update_mask=FieldMask(field_mask=mask),
                                   endpoint=Endpoint(spec=EndpointSpec(endpoint_type=READ_WRITE, **spec)))


def test_a_second_read_write_endpoint(server, shared_endpoint):
    with pytest.raises(BadRequest) as raised:
        server.api.create_endpoint(parent=shared_endpoint.split("/endpoints")[0], endpoint_id="second",
                                   endpoint=Endpoint(spec=EndpointSpec(endpoint_type=READ_WRITE)))
    assert "read_write endpoint already exists" in str(raised.value)


def test_the_read_write_endpoint_cannot_be_deleted(server, shared_endpoint):
    with pytest.raises(BadRequest) as raised:
        server.api.delete_endpoint(name=shared_endpoint)
    assert "ead-write endpoint" in str(raised.value)


@pytest.mark.parametrize("query", ["page_size=-1", "page_size=x", "page_token=nonsense", "page_size=99999999999999999999"])
def test_bad_pagination(server, query):
    status, answer = raw(server, "GET", f"/projects?{query}")
    assert (status, answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE"), answer


@pytest.mark.changes
def test_pages_cover_everything_once(server, project):
    parent = f"projects/{project}"
    for n in range(5):
        server.create_branch(f"{parent}/branches/production", f"b{n}")
    names, token = [], ""
    while True:
        status, page = raw(server, "GET", f"/{parent}/branches?page_size=2" + (f"&page_token={token}" if token else ""))
        assert status == 200 and len(page["branches"]) <= 2
        names += [branch["name"] for branch in page["branches"]]
        token = page.get("next_page_token", "")
        if not token:
            break
    assert sorted(names) == sorted(f"{parent}/branches/{b}" for b in ("production", "b0", "b1", "b2", "b3", "b4"))


# Races and repetition

def test_a_taken_project_id(server, shared_endpoint):
    with pytest.raises(AlreadyExists):
        server.create_project(shared_endpoint.split("/")[1])


@pytest.mark.changes
def test_two_creators_of_one_id_and_one_wins(server, project_ids):
    project_id = next(project_ids)
    barrier, outcomes = threading.Barrier(4), []

    def create():
        client = WorkspaceClient(host=server.url, token=server.token)
        barrier.wait()
        try:
            client.postgres.create_project(project=Project(spec=ProjectSpec(pg_version=17)), project_id=project_id).wait()
            outcomes.append("won")
        except ResourceConflict as error:
            outcomes.append(type(error).__name__)
        except DatabricksError as error:
            outcomes.append(repr(error))

    threads = [threading.Thread(target=create) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == ["AlreadyExists"] * 3 + ["won"]
    assert server.query(primary(project_id), "SELECT 1") == [(1,)]
