"""`tarn status`: what runs, what does not, and why."""

import json
import subprocess

import psycopg
import pytest
from harness import processes
from harness.server import TARN, Server, primary


@pytest.fixture(scope="module")
def own():
    """A server of this module's own: its WAL is removed here."""
    with Server() as running:
        yield running


def status(server, *options, **environment):
    return subprocess.run([TARN, "status", *options], env={**server.client_environment(), **environment},
                          capture_output=True, text=True, timeout=60)


def line_of(server, endpoint):
    shown = status(server)
    assert shown.returncode == 0, shown.stderr
    return next(line.split(maxsplit=5) for line in shown.stdout.splitlines() if line.startswith(endpoint + " "))


def test_a_running_endpoint_shows_its_state_and_address(server, project):
    server.query(primary(project), "SELECT 1")
    name, state, cu, host = line_of(server, primary(project))[:4]
    limits = server.api.get_endpoint(name=primary(project)).status
    assert (name, state) == (primary(project), "running")
    assert cu == f"{limits.autoscaling_limit_min_cu:g}-{limits.autoscaling_limit_max_cu:g}"
    assert host == limits.hosts.host


def test_json_is_the_servers_own_answer(server, project):
    shown = status(server, "--output", "json")
    answer = json.loads(shown.stdout)
    assert answer["pid"] == server.process.pid and answer["data_directory"] == str(server.data)
    assert project in [p["project"] for p in answer["projects"]]


def test_records_that_fall_behind_are_told(own):
    records, away = own.data / "records", own.data / "records.away"

    def told():
        return own.client.api_client.do("GET", "/api/tarn/v1/status")["records"]

    processes.wait_until(lambda: told() == {"state": "current", "behind_count": 0}, "records as the metadata is")
    records.rename(away)
    records.write_text("no directory")
    own.create_project("unrecorded")
    processes.wait_until(lambda: told()["state"] == "behind", "records that are behind")
    behind = told()
    assert behind["behind_count"] > 0 and behind["behind_since"] and str(records) in behind["failure"], behind
    shown = status(own).stdout
    assert f"the records of the metadata are behind since {behind['behind_since']} (" in shown, shown
    records.unlink()
    away.rename(records)
    processes.wait_until(lambda: told()["state"] == "current", "records that have caught up")
    assert "the records of the metadata" not in status(own).stdout


def test_a_failed_compute_says_why(own):
    own.create_project("failing")
    endpoint = primary("failing")
    own.query(endpoint, "SELECT 1")
    own.suspend_after(endpoint, 1)
    processes.wait_until(lambda: line_of(own, endpoint)[1] == "stopped", f"{endpoint} stopped")
    segments = [path for path in (own.data / "store").rglob("*")
                if path.is_file() and path.parent.name in ("wal", "wal_archive")]
    assert segments
    for path in segments:
        path.unlink()
    with pytest.raises(psycopg.OperationalError):
        own.connect(endpoint, connect_timeout=20)
    line = line_of(own, endpoint)
    assert line[1] == "failed", line
    assert "checkpoint record" in line[-1], line


def test_a_host_may_end_with_a_slash(own):
    shown = status(own, DATABRICKS_HOST=own.url + "/")
    assert shown.returncode == 0, shown.stderr


def test_no_server_is_told_with_what_to_try(own):
    shown = status(own, DATABRICKS_HOST="http://127.0.0.1:1")
    assert shown.returncode != 0
    assert "127.0.0.1:1" in shown.stderr and "tarn serve" in shown.stderr
    assert "this one is from DATABRICKS_HOST" in shown.stderr, shown.stderr
    assert "expected http://ADDRESS:PORT" in status(own, DATABRICKS_HOST="ftp://x").stderr


def test_a_wrong_token_is_refused(own):
    shown = status(own, "--token", "wrong")
    assert shown.returncode != 0 and shown.stdout == ""
    assert "this token is from --token" in shown.stderr, shown.stderr


def test_no_login_is_told_with_where_it_was_looked_for(own, tmp_path):
    shown = status(own, DATABRICKS_HOST="", DATABRICKS_CONFIG_FILE=str(tmp_path / "none"))
    assert shown.returncode == 2, shown
    assert f"{tmp_path}/none is not there" in shown.stderr and "--write-profile" in shown.stderr, shown.stderr
