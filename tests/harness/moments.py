"""Branches of past moments, asked for as a user does, and where the time to their first row went."""

import re
import time
from dataclasses import dataclass
from datetime import datetime, timezone

from databricks.sdk.service.postgres import Branch, BranchSpec
from google.protobuf.timestamp_pb2 import Timestamp

from . import processes
from .server import primary

# What ends a phase, in PostgreSQL's log; the first and the last end at the client.
PHASES = {
    "plan": None,                                       # the call, until the branch is made
    "files": "starting PostgreSQL",                     # login, stubs and small files
    "replay": "redo done",
    "open": "database system is ready to accept",       # end of recovery, as far as clients wait for it
    "first row": None,
}
LINE = re.compile(r"^(\S+ \S+) UTC \[\d+\] (?:LOG|FATAL|WARNING):  (.*)", re.M)


def lineages(server):
    """Directories of projects' lineages: the small numbers are templates."""
    return {p for p in (server.data / "store/lineages").iterdir() if int(p.name, 16) > 1023}


def ask_for_branch_at(server, project, branch_id, lsn=None, time=None):
    """The operation."""
    spec = BranchSpec(source_branch=f"projects/{project}/branches/production", no_expiry=True, source_branch_lsn=lsn)
    if time:
        spec.source_branch_time = Timestamp()
        spec.source_branch_time.FromDatetime(time)
    return server.api.create_branch(parent=f"projects/{project}", branch_id=branch_id, branch=Branch(spec=spec))


def branch_at(server, project, branch_id, lsn=None, time=None):
    return ask_for_branch_at(server, project, branch_id, lsn, time).wait()


def promptly(operation):
    """What it gives, without the SDK's pauses of a second and more between two looks."""
    processes.wait_until(operation.done, operation.name(), 600, every=0.005)
    return operation.wait()


@dataclass(frozen=True)
class Opened:
    """A branch of a moment that has answered its first query."""
    ms: float        # from the request to the first row
    phases: dict     # ms of each of PHASES
    replay_s: float  # as PostgreSQL says; 0 if there was nothing to replay

    def __str__(self):
        return f"{self.ms:.0f} ms (" + ", ".join(f"{name} {ms:.0f}" for name, ms in self.phases.items()) + ")"


def open_at(server, project, branch_id, moment, statement):
    asked = time.time()
    promptly(ask_for_branch_at(server, project, branch_id, time=datetime.fromtimestamp(moment, timezone.utc)))
    made = time.time()
    endpoint = primary(project, branch_id)
    server.query(endpoint, statement)
    answered = time.time()
    uid = server.api.get_endpoint(name=endpoint).uid
    log = (server.data / "endpoints" / uid / "log/postgres.log").read_text(errors="replace")
    return Opened((answered - asked) * 1000, phases_of(log, asked, made, answered), replay_seconds(log))


def phases_of(log, asked, made, answered):
    """ms of each phase; one whose end the log does not tell counts to the next."""
    lines = [(datetime.fromisoformat(when + "+00:00").timestamp(), text) for when, text in LINE.findall(log)]
    ends = {name: next((when for when, text in lines if mark and text.startswith(mark)), None) for name, mark in PHASES.items()}
    ends |= {"plan": made, "first row": answered}
    phases, begin = {}, asked
    for name, end in ends.items():
        phases[name] = ((end or begin) - begin) * 1000
        begin = end or begin
    return phases


def replay_seconds(log):
    found = re.search(r"redo done at .* elapsed: ([\d.]+) s", log)
    return float(found.group(1)) if found else 0.0


def drop(server, project, branch_id):
    """For good: what a branch replayed stays on the disk as long as it can be undeleted."""
    promptly(server.api.delete_branch(name=f"projects/{project}/branches/{branch_id}", purge=True))
