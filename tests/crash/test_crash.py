"""Kills under pgbench, DDL and checkpoints: what was acknowledged is there, every page is sound, and the store is whole.

The victims and moments come from a seed, which is printed; TARN_SEED=N runs the same again. The commit
ledger is the judge: an acknowledged commit must be there whoever acknowledged it, an orphan of a dead
postmaster too.
"""

import os
import random
import time

import psycopg
import pytest
from harness import pgbench, processes, shared_memory, verify
from harness.server import MAJORS, primary
from harness.workload import Checkpoints, Ledger, Tables, amcheck

SEED = int(os.environ.get("TARN_SEED", random.SystemRandom().randrange(1 << 31)))
KILLS = int(os.environ.get("TARN_KILLS", 12))  # for each major
VICTIMS = ("backend", "checkpointer", "postmaster", "tree", "server", "everything")


@pytest.fixture(scope="module")
def used():
    """Shared memory of those that were killed. Tests beside leave their own behind: it is not looked at."""
    return set()


class Crashes:
    def __init__(self, server, major, used):
        self.server, self.used = server, used
        self.random = random.Random(f"{SEED}-{major}")
        server.create_project(f"crash{major}", major)
        self.endpoint = primary(f"crash{major}")
        # Asked for once: while the server is dead it cannot be asked, and a token lives for an hour.
        self.parameters = server.connection(self.endpoint, dbname="databricks_postgres")
        self.uid = server.api.get_endpoint(name=self.endpoint).uid
        pgbench.initialise(self.parameters, 2)
        with self.connect() as conn:
            conn.execute(Ledger.TABLE)
        self.slow = Ledger("slow", self.connect, SEED, delay=1.5)
        self.tables = Tables("ddl", self.connect, SEED, with_databases=True)
        self.workers = [Ledger("one", self.connect, SEED), Ledger("two", self.connect, SEED), self.slow, self.tables,
                        Checkpoints("checkpoints", self.superuser, SEED)]

    def connect(self):
        return psycopg.connect(**self.parameters, autocommit=True)

    def superuser(self):
        return self.server.superuser(self.endpoint, uid=self.uid)

    def compute(self):
        """Every process of the running compute, and those of PostgreSQL among them, postmaster first."""
        mine = self.server.processes()
        posts = [p for p in mine if p.is_postmaster and processes.names_directory(p, self.uid)]
        tree = [p for p in mine if processes.names_directory(p, self.uid) or any(p.parent == q.pid for q in posts)]
        tree = [p for p in tree if p.pid != getattr(self.server.process, "pid", None)]
        return posts, tree

    def kill(self, victim):
        """Answers the postmasters that end by it: none if only the server is killed."""
        posts, tree = processes.wait_until(lambda: (c := self.compute())[0] and c, "a running compute")
        titled = {p: p.command for p in tree}
        for post in posts:
            self.used |= shared_memory.used_by(post.pid, *(p.pid for p in tree))
        if victim == "backend":
            backends = [p for p, title in titled.items() if title.startswith("postgres:") and "[local]" in title]
            self.random.choice(backends or posts).kill()
        elif victim == "checkpointer":
            [p for p, title in titled.items() if title.startswith("postgres: checkpointer")][0].kill()
        elif victim == "postmaster":
            # While the slow statement runs: its backend outlives the postmaster and tries to commit.
            self.slow.sent.clear()
            self.slow.sent.wait(10)
            time.sleep(self.random.uniform(0.2, 1.3))
            for post in posts:
                post.kill()
        elif victim == "tree":
            for process in tree:
                process.kill()
        elif victim == "server":
            self.server.kill()
            self.server.start()
            return []
        else:
            self.server.kill()
            processes.kill_all(self.server.root)
            self.server.start()
        return posts

    def check(self):
        for worker in self.workers:
            worker.pause()
        with self.connect() as conn:
            for worker in self.workers:
                if hasattr(worker, "check"):
                    worker.check(conn)
            pgbench.assert_balanced(conn)
            with self.superuser() as admin:  # while a client is connected: it wakes nothing itself
                amcheck(admin)
        verify.assert_whole(self.server)
        for worker in self.workers:
            worker.resume()

    def run(self, kills):
        for worker in self.workers:
            worker.start()
        victims = [VICTIMS[n % len(VICTIMS)] for n in range(kills)]
        self.random.shuffle(victims)
        try:
            for number, victim in enumerate(victims, 1):
                load = pgbench.start(self.parameters, "-c", 3, "-T", 300)
                time.sleep(self.random.uniform(0.3, 2.5))  # the moment of the kill, not a wait for anything
                started = time.monotonic()
                dying = self.kill(victim)
                # A dying one may still take a connection and answer it. Its clients are told by the end of the
                # connection and come again, as ours do here.
                processes.wait_until(lambda: not any(p.alive() for p in dying), "the end of the killed PostgreSQL")
                self.wait_for_answer()
                back = time.monotonic() - started
                load.kill()
                load.wait()
                self.check()
                print(f"kill {number}: {victim}, back after {back:.2f} s, "
                      f"{sum(len(w.acknowledged) for w in self.workers if isinstance(w, Ledger))} commits kept", flush=True)
        finally:
            for worker in self.workers:
                worker.stop()

    def wait_for_answer(self):
        def answers():
            try:
                with self.connect() as conn:
                    return conn.execute("SELECT 1").fetchone() == (1,)
            except psycopg.OperationalError:
                return False

        processes.wait_until(answers, f"{self.endpoint} answers again", 60)


@pytest.mark.parametrize("major", MAJORS)
def test_acknowledged_commits_survive_every_kill(server, major, used, capsys):
    with capsys.disabled():
        print(f"\nPostgreSQL {major}, seed {SEED} (again: TARN_SEED={SEED} script/test crash)")
        crashes = Crashes(server, major, used)
        crashes.run(KILLS)
    assert sum(len(w.acknowledged) for w in crashes.workers if isinstance(w, Ledger)) > 10 * KILLS
    assert crashes.tables.steps > 3 * KILLS, "hardly any DDL ran: the kills met an idle server"
    server.suspend_after(crashes.endpoint, 1)
    server.wait_for_state(crashes.endpoint, "IDLE", 120)
    server.suspend_after(crashes.endpoint, 3600)
    verify.assert_whole(server)
    with crashes.connect() as conn:  # and once more after a clean sleep
        for worker in crashes.workers:
            if hasattr(worker, "check"):
                worker.check(conn)


def test_nothing_is_left_over(server, used):
    """After all those deaths: one PostgreSQL at most for an endpoint, and no shared memory but theirs."""
    mine = server.processes()
    posts = [p for p in mine if p.is_postmaster]
    assert len(posts) <= len(MAJORS), [p.command for p in posts]
    orphans = [p for p in mine if p.command.startswith("postgres:") and not any(p.parent == q.pid for q in posts)]
    assert not orphans, [p.command for p in orphans]
    assert used
    user = (server.data / "endpoints").stat().st_uid
    processes.wait_until(lambda: not used & shared_memory.unused(user), "the shared memory of the dead gone", 60)
