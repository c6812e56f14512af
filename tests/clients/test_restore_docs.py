"""docs/operate/restore.md: its examples, one after the other as a person would type them, do what the page says."""

import re
import time
from datetime import datetime, timezone

import pytest
from databricks.sdk.service.postgres import Branch, BranchSpec
from harness import processes
from harness.server import PROJECT_ROOT, Server, primary

PRODUCTION = "projects/my-app/branches/production"


@pytest.fixture
def own():
    with Server() as server:
        yield server


def examples():
    """Each example, told apart by a line that only it has."""
    blocks = re.findall(r"```python\n(.*?)```", (PROJECT_ROOT / "docs/operate/restore.md").read_text(), re.DOTALL)
    names = {"before-the-delete": "branch", "body={\"source_branch_time\"": "restore", "\"source_branch\": ": "again", ":reset": "reset",
             "create_snapshot": "snapshot", "update_snapshot_schedule": "schedule"}
    found = {name: block for block in blocks for line, name in names.items() if line in block}
    assert len(found) == len(blocks) == len(names), sorted(found)
    return found


def now():
    time.sleep(0.01)  # the moment lies between two transactions, not just at the end of one
    return datetime.now(timezone.utc).isoformat().replace("+00:00", "Z")


def rows(server, branch="production"):
    return [n for n, in server.query(primary("my-app", branch), "SELECT n FROM t ORDER BY n")]


def test_the_examples_of_the_docs(own, monkeypatch, capsys):
    monkeypatch.setenv("DATABRICKS_CONFIG_FILE", str(own.profile))
    own.create_project("my-app")
    own.query(primary("my-app"), "CREATE TABLE t AS SELECT generate_series(1, 3) AS n")
    own.api.create_branch(parent="projects/my-app", branch_id="development",
                          branch=Branch(spec=BranchSpec(source_branch=PRODUCTION, no_expiry=True))).wait()
    before = now()
    own.query(primary("my-app"), "DELETE FROM t")
    emptied = now()
    own.query(primary("my-app"), "INSERT INTO t VALUES (4)")
    page, names = examples(), {}

    def type_in(example, **values):
        text = page[example]
        for printed, real in values.items():
            assert text.count(printed) == 1, (printed, text)
            text = text.replace(printed, real)
        exec(text, names)

    def wait_for(operation):
        processes.wait_until(lambda: names["do"]("GET", "/api/2.0/postgres/" + operation["name"])["done"], operation["name"])

    type_in("branch", **{"2026-11-22T10:15:00Z": before})
    assert rows(own, "before-the-delete") == [1, 2, 3]
    type_in("restore", **{"2026-11-22T10:15:00Z": before})
    preserved = capsys.readouterr().out.split()[-1]
    assert re.fullmatch(PRODUCTION + r"-until-\d{8}-\d{6}", preserved)
    assert rows(own) == [1, 2, 3] and rows(own, preserved.rsplit("/", 1)[1]) == [4]
    type_in("again", **{"projects/my-app/branches/production-until-20261122-103207": preserved, "2026-11-22T10:25:00Z": emptied})
    wait_for(names["operation"])
    assert rows(own) == []
    own.query(primary("my-app", "development"), "INSERT INTO t VALUES (5)")
    type_in("reset")
    wait_for(names["operation"])
    assert rows(own, "development") == []
    type_in("snapshot")
    own.query(primary("my-app"), "INSERT INTO t VALUES (6)")
    own.api.create_branch(parent="projects/my-app", branch_id="migrated", branch=Branch(spec=BranchSpec(
        source_snapshot="projects/my-app/snapshots/before-the-migration", no_expiry=True))).wait()
    assert rows(own, "migrated") == []
    type_in("schedule")
    assert len(own.api.get_snapshot_schedule(name=f"{PRODUCTION}/snapshot-schedule").schedule) == 1
