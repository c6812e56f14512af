"""The documents' quick start, with the oldest and the newest SDK that it names, on every PostgreSQL major."""

import base64
import json
import subprocess
from pathlib import Path

import pytest
from harness.server import MAJORS, PROJECT_ROOT

SDKS = ("0.81.0", "newest")


@pytest.fixture(scope="module", params=[(major, sdk) for major in MAJORS for sdk in SDKS],
                ids=lambda p: f"postgresql-{p[0]}-sdk-{p[1]}")
def notebook(request, server):
    """What the snippets did, run as one notebook."""
    major, sdk = request.param
    project_id = f"my-app-{major}-{sdk.replace('.', '')}"
    done = subprocess.run([PROJECT_ROOT / f"build/venv/sdk-{sdk}/bin/python", Path(__file__).with_name("run_snippets.py"),
                           project_id, str(major)],
                          env=server.client_environment(), capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    results = json.loads(done.stdout.splitlines()[-1])
    assert sdk in ("newest", results["sdk"])
    return {**results, "project": f"projects/{project_id}", "major": major}


def succeeded(notebook, snippet):
    assert notebook[snippet]["error"] is None, notebook[snippet]["error"]
    return notebook[snippet]["printed"]


def test_create_a_project(server, notebook):
    assert succeeded(notebook, "1_create_project") == f"Created project: {notebook['project']}\n"
    status = server.api.get_project(name=notebook["project"]).status
    assert (status.display_name, status.pg_version) == ("My Application", notebook["major"])
    branches = list(server.api.list_branches(parent=notebook["project"]))
    root = next(b for b in branches if b.name.endswith("/branches/production"))
    assert root.status.default and root.status.current_state.value == "READY"


def test_generate_oauth_token(notebook):
    succeeded(notebook, "2_generate_oauth_token")
    payload = notebook["token"].split(".")[1]
    claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    assert 3590 <= claims["exp"] - claims["iat"] <= 3600


def test_connect_from_notebook(notebook):
    assert f"PostgreSQL {notebook['major']}." in succeeded(notebook, "3_connect_from_notebook")


def test_create_a_branch_for_development(server, notebook):
    branch = f"{notebook['project']}/branches/development"
    assert succeeded(notebook, "4_create_a_branch_for_development") == f"Branch created: {branch}\n"
    found = server.api.get_branch(name=branch)
    assert found.status.source_branch == f"{notebook['project']}/branches/production"
    lifetime = found.status.expire_time.ToSeconds() - found.create_time.ToSeconds()
    assert abs(lifetime - 604800) <= 5


def test_resize_compute(server, notebook):
    succeeded(notebook, "5_resize_compute")
    status = server.api.get_endpoint(name=f"{notebook['project']}/branches/production/endpoints/ep-primary").status
    assert (status.autoscaling_limit_min_cu, status.autoscaling_limit_max_cu) == (2.0, 8.0)
