"""A fault at any call that changes the disk, of any process: nothing acknowledged is lost, nothing half-done stays.

Each round draws a process (server, supervisor, checkpointer, a client's backend, a backup), a kind of call, one of its next
calls, and what happens there: the process is killed, or the call fails, or it takes its time. Meanwhile branches are made,
restored, reset and removed, snapshots and backups taken, history is let go of, clients write. TARN_SEED=N draws the same again;
TARN_FAULTS=N takes N rounds.
"""

import contextlib
import os
import random
import subprocess
import time
from collections import Counter
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from databricks.sdk import WorkspaceClient
from databricks.sdk.core import Config
from databricks.sdk.errors import DatabricksError, NotFound
from databricks.sdk.service.postgres import (Branch, BranchSpec, Duration, FieldMask, Project, ProjectSpec, Snapshot,
                                             SnapshotSpec)
from harness import backup, pgbench, processes, verify
from harness.faults import Gone, needs_trace, traced
from harness.server import MAJORS, Server, primary
from harness.workload import Ledger, amcheck

SEED = int(os.environ.get("TARN_SEED", random.SystemRandom().randrange(1 << 31)))
ROUNDS = int(os.environ.get("TARN_FAULTS", 10))

SYNC, NAME, REMOVE = "fsync,fdatasync", "rename,renameat,renameat2,link,linkat", "unlink,unlinkat,rmdir"
WRITE, RESERVE, MAKE = "pwrite64,pwritev,pwritev2,write", "fallocate,ftruncate", "mkdir,mkdirat,openat,creat"
KILL, SLOW = "signal=KILL", "delay_enter=400000"
ERRORS = {RESERVE: ("error=ENOSPC", "error=EIO"), WRITE: ("error=ENOSPC", "error=EIO"), MAKE: ("error=ENOSPC",)}
# The calls that each makes often enough to be met. With the server go the computes that it starts meanwhile.
VICTIMS = {"server": (SYNC, NAME, REMOVE, WRITE, RESERVE, MAKE), "supervisor": (SYNC, NAME, REMOVE, WRITE, MAKE),
           "checkpointer": (SYNC, WRITE, MAKE), "backend": (SYNC, WRITE, MAKE), "backup": (SYNC, NAME, WRITE, MAKE)}
PROJECT, MAIN, SIDE = "projects/p", "projects/p/branches/production", "projects/p/branches/side"


class Faults:
    def __init__(self, server, folder, generator):
        self.server, self.folder, self.random = server, folder, generator
        self.calls = folder / "calls"
        self.met, self.operations, self.number = Counter(), [], 0
        self.actions = (self.restore, self.reset, self.branch, self.snapshot, self.backup, self.prune)
        server.api.update_project(name=PROJECT, update_mask=FieldMask(field_mask=["spec.history_retention_duration"]),
                                  project=Project(spec=ProjectSpec(history_retention_duration=Duration(seconds=20)))).wait()
        self.uid = server.api.get_endpoint(name=primary("p")).uid
        self.parameters = server.connection(primary("p"))
        pgbench.initialise(self.parameters, 1)
        server.create_branch(MAIN, "side")
        self.begun = datetime.now(timezone.utc)
        self.connect = lambda: psycopg.connect(**self.parameters, autocommit=True)
        with self.connect() as conn:
            conn.execute(Ledger.TABLE)
        self.ledgers = [Ledger(name, self.connect, SEED) for name in ("one", "two")]
        self.api = WorkspaceClient(config=Config(host=server.url, token=server.token, retry_timeout_seconds=1,
                                                 http_timeout_seconds=20))

    # What goes on meanwhile

    def work(self):
        """Some of all that changes the disk. What is refused, or meets a dead server, is not acknowledged."""
        for action in (self.checkpoint, *self.random.sample(self.actions, 3), self.checkpoint):
            with contextlib.suppress(DatabricksError, OSError, TimeoutError, psycopg.Error):
                action()

    def work_undisturbed(self):
        """Each once, and none may fail: or the faults would meet an idle server."""
        for action in self.actions:
            assert action() in (None, 0), f"{action.__name__} failed, without any fault"
            self.settle()

    def ask(self, method, name, **body):
        answer = self.api.api_client.do(method, f"/api/2.0/postgres/{name}", body=body)
        self.operations.append(answer["name"])

    def restore(self):
        back = datetime.now(timezone.utc) - timedelta(seconds=self.random.uniform(0, 10))
        self.ask("POST", f"{SIDE}:restore", source_branch_time=max(back, self.begun).isoformat(), preserve=False)

    def reset(self):
        self.ask("POST", f"{SIDE}:reset")

    def branch(self):
        self.number += 1
        name = f"b{self.number}"
        spec = BranchSpec(source_branch=MAIN, ttl=Duration(seconds=self.random.choice((2, 20))))
        operation = self.api.postgres.create_branch(parent=PROJECT, branch_id=name, branch=Branch(spec=spec)).name()
        self.operations.append(operation)
        processes.wait_until(lambda: self.api.postgres.get_operation(name=operation).done, f"{operation} ends", 20)
        # Not by the harness, whose client would ask a dead server for minutes.
        endpoint = primary("p", name)
        own = {"host": self.api.postgres.get_endpoint(name=endpoint).status.hosts.host, "connect_timeout": 10,
               "password": self.api.postgres.generate_database_credential(endpoint=endpoint).token}
        with psycopg.connect(**{**self.parameters, **own}, autocommit=True) as conn:
            conn.execute("UPDATE pgbench_accounts SET abalance = abalance WHERE aid < 1000")

    def snapshot(self):
        self.number += 1
        spec = SnapshotSpec(source_branch=MAIN, ttl=Duration(seconds=3))
        self.operations.append(self.api.postgres.create_snapshot(
            parent=PROJECT, snapshot_id=f"s{self.number}", snapshot=Snapshot(spec=spec)).name())

    def checkpoint(self):
        with self.server.superuser(primary("p"), uid=self.uid) as conn:
            conn.execute("CHECKPOINT")

    def backup(self, *prefix):
        return self.tarn(*prefix, self.server.program(), "backup", "--data-dir", self.server.data, "--to", self.folder / "backups")

    def prune(self):
        for dead in (self.folder / "backups").glob("running/*"):  # nobody else is at it
            dead.unlink()
        return self.tarn(self.server.program(), "backup", "prune", "--from", self.folder / "backups", "--keep-days", "0.0001")

    @staticmethod
    def tarn(*command):
        return subprocess.run([*map(str, command)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=300).returncode

    # One fault

    def process(self, victim):
        if victim == "server":
            return self.server.process.pid
        is_it = {
            "supervisor": lambda p: p.is_supervisor,
            "checkpointer": lambda p: "checkpointer" in p.command,
            "backend": lambda p: "[local]" in p.command,
        }[victim]

        def found():
            tree = self.server.postgres_of(primary("p"))
            supervisors = [p for p in self.server.processes() if tree and p.pid == tree[0].parent]
            return next(filter(is_it, tree + supervisors), None)

        return processes.wait_until(found, f"a running {victim}").pid

    def fault(self):
        victim = self.random.choice(list(VICTIMS))
        calls = self.random.choice(VICTIMS[victim])
        what = KILL if self.random.random() < 0.7 else self.random.choice((SLOW, *ERRORS.get(calls, ("error=EIO",))))
        first = self.random.randint(1, 10)
        when = f"{first}..{first + 5}" if what == SLOW else f"{first}"
        inject = ("-e", f"trace={calls}", "-e", f"inject={calls}:{what}:when={when}")
        print(f"{victim}, call {when} of {calls.split(',')[0]}…: {what}, ", end="", flush=True)
        self.calls.unlink(missing_ok=True)
        if victim == "backup":
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.backup("strace", "-f", "-y", "-o", self.calls, *inject)
        else:
            with self.traced(victim, inject):
                for _ in range(3):
                    self.work()
                    if self.was_met():
                        break
        met = self.was_met()
        self.met[victim, calls.split(",")[0], what] += met
        print("met; " if met else "not met; ", end="", flush=True)

    @contextlib.contextmanager
    def traced(self, victim, inject):
        with contextlib.ExitStack() as stack:
            while True:  # a backend of the load or a compute that is done may go just then
                with contextlib.suppress(Gone):
                    stack.enter_context(traced(self.process(victim), self.calls, *inject))
                    break
            yield

    def was_met(self):
        said = self.calls.read_text(errors="replace") if self.calls.exists() else ""
        return any(mark in said for mark in ("killed by SIGKILL", "INJECTED", "DELAYED"))

    # What must be so afterwards

    def settle(self):
        if self.server.process.poll() is not None:
            self.server.start()
        for name in self.operations:
            with contextlib.suppress(NotFound):  # of a branch that has gone
                processes.wait_until(lambda: self.api.postgres.get_operation(name=name).done, f"{name} ends", 300)
        self.operations.clear()

    def answers(self, endpoint):
        def once():
            with contextlib.suppress(psycopg.OperationalError):
                with self.server.connect(endpoint) as conn:
                    pgbench.assert_balanced(conn)
                    return True
        processes.wait_until(once, f"{endpoint} answers", 180)

    def check(self):
        for ledger in self.ledgers:
            ledger.pause()
        self.answers(primary("p"))
        self.answers(primary("p", "side"))
        with self.connect() as conn:
            for ledger in self.ledgers:
                ledger.check(conn)
            with self.server.superuser(primary("p"), uid=self.uid) as admin:
                amcheck(admin)
        verify.assert_whole(self.server)
        for ledger in self.ledgers:
            ledger.resume()


@needs_trace
def test_a_fault_at_any_call_loses_nothing(tmp_path, capsys):
    generator = random.Random(SEED)
    major = generator.choice(MAJORS)
    with capsys.disabled():
        print(f"\nPostgreSQL {major}, seed {SEED} (again: TARN_SEED={SEED} script/test crash)", flush=True)
        with Server() as server:
            server.create_project("p", major)
            faults = Faults(server, tmp_path, generator)
            load = pgbench.start(server.connection(primary("p")), "-c", 1, "-R", 50, "-T", 3600)
            for ledger in faults.ledgers:
                ledger.start()
            try:
                faults.work_undisturbed()
                for number in range(1, ROUNDS + 1):
                    if load.poll() is not None:  # its compute was killed
                        load = pgbench.start(server.connection(primary("p")), "-c", 1, "-R", 50, "-T", 3600)
                    begun = time.monotonic()
                    print(f"fault {number}: ", end="")
                    faults.fault()
                    faults.settle()
                    faults.check()
                    print(f"{time.monotonic() - begun:.1f} s", flush=True)
            except BaseException:
                print(f"server, {server.process.poll()}:\n{server.log_tail(60)}", flush=True)
                raise
            finally:
                load.kill()
                load.wait()
                for ledger in faults.ledgers:
                    ledger.stop()
            assert sum(faults.met.values()) * 2 >= ROUNDS, f"most faults were not met: {faults.met}"
            assert sum(len(ledger.acknowledged) for ledger in faults.ledgers) > 10 * ROUNDS
            verify.assert_whole(server)
            for dead in (tmp_path / "backups").glob("running/*"):
                dead.unlink()
            backup.take(server, tmp_path / "backups")  # the next one after those that died
            server.stop()
            with backup.RestoredServer(server, tmp_path / "backups") as other:
                verify.assert_whole(other)
                with other.connect(primary("p")) as conn:
                    for ledger in faults.ledgers:
                        ledger.check(conn)
