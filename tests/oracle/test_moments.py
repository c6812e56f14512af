"""Any moment, judged by PostgreSQL itself: a branch of a past moment holds exactly what stock PostgreSQL finds
there, recovered from a base copy of the beginning and the WAL since, without a page store anywhere near it.

The load and the moments come from a seed, which is printed; TARN_SEED=N runs the same again, as far as a running
database can. TARN_MOMENTS=N takes N moments for each major.
"""

import os
import random
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta, timezone

import psycopg
import pytest
from databricks.sdk.service.postgres import EndpointSettings
from harness import moments, pgbench, processes
from harness.contents import contents, differences
from harness.server import MAJORS, primary
from harness.stock_recovery import RecoveredPostgres, base_copy, collect_wal, timeline_at
from harness.workload import Checkpoints, Tables, Worker

SEED = int(os.environ.get("TARN_SEED", random.SystemRandom().randrange(1 << 31)))
MOMENTS = int(os.environ.get("TARN_MOMENTS", 8))  # for each major
SECONDS_BETWEEN_EVENTS = 4


class Rarities(Worker):
    """What ordinary load leaves out: sequences, large objects, multixacts, prepared transactions, unlogged tables, and what
    is in the catalogs alone."""

    TABLES = ("CREATE TABLE parents (n int PRIMARY KEY); INSERT INTO parents SELECT generate_series(1, 50);"
              "CREATE TABLE children (n int REFERENCES parents, s text); CREATE SEQUENCE numbers;"
              "CREATE TABLE prepared (n int); CREATE UNLOGGED TABLE scratch (n int); CREATE MATERIALIZED VIEW sums AS "
              "SELECT n, count(*) FROM children GROUP BY n; CREATE TYPE mood AS ENUM ('calm');"
              "CREATE FUNCTION pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';")

    def __init__(self, name, connect, seed):
        super().__init__(name, connect, seed)
        self.other = None
        self.done = {}

    def connected(self):
        self.other = self.connect()

    def disconnect(self):
        super().disconnect()
        if self.other is not None:
            self.other.close()

    def step(self):
        action = self.random.choice([self.sequence, self.large_object, self.multixact, self.prepare, self.finish,
                                     self.unlogged, self.refresh, self.catalog, self.roll_back])
        action()
        self.done[action.__name__] = self.done.get(action.__name__, 0) + 1
        time.sleep(0.02)  # leaves the processor to the other workers

    def sequence(self):
        self.conn.execute("SELECT nextval('numbers') FROM generate_series(1, %s)", (self.random.randint(1, 50),))

    def large_object(self):
        known = [oid for oid, in self.conn.execute("SELECT oid FROM pg_largeobject_metadata").fetchall()]
        if len(known) > 20:
            self.conn.execute("SELECT lo_unlink(%s)", (self.random.choice(known),))
        self.conn.execute("SELECT lo_from_bytea(0, decode(repeat(%s, %s), 'hex'))",
                          (f"{self.random.randrange(256):02x}", self.random.randint(1, 20000)))

    def multixact(self):
        """Two transactions share a row's lock, so that it gets a multixact; one of them may be undone."""
        n = self.random.randint(1, 50)
        with self.conn.transaction():
            self.conn.execute("SELECT 1 FROM parents WHERE n = %s FOR KEY SHARE", (n,))
            with self.other.transaction(force_rollback=self.random.random() < 0.3):
                self.other.execute("INSERT INTO children VALUES (%s, repeat('c', %s))", (n, self.random.randint(1, 500)))

    def prepare(self):
        name = f"{self.name}-{self.random.randrange(1 << 40)}"
        if self.conn.execute("SELECT count(*) FROM pg_prepared_xacts").fetchone()[0] >= 5:
            return
        self.conn.execute("BEGIN")
        self.conn.execute("INSERT INTO prepared SELECT generate_series(1, %s)", (self.random.randint(1, 100),))
        self.conn.execute(f"PREPARE TRANSACTION '{name}'")

    def finish(self):
        names = [gid for gid, in self.conn.execute("SELECT gid FROM pg_prepared_xacts").fetchall()]
        if names:
            self.conn.execute(f"{self.random.choice(['COMMIT', 'COMMIT', 'ROLLBACK'])} PREPARED '{self.random.choice(names)}'")

    def unlogged(self):
        self.conn.execute("INSERT INTO scratch SELECT generate_series(1, 100)")

    def refresh(self):
        self.conn.execute("REFRESH MATERIALIZED VIEW sums")

    def catalog(self):
        n = self.random.randrange(1000)
        self.conn.execute(self.random.choice([
            f"CREATE OR REPLACE VIEW seen AS SELECT n, {n} AS k FROM prepared",
            f"CREATE OR REPLACE FUNCTION answer() RETURNS int LANGUAGE sql AS 'SELECT {n}'",
            f"CREATE OR REPLACE TRIGGER passes BEFORE INSERT ON children FOR EACH ROW WHEN (NEW.n > {n}) EXECUTE FUNCTION pass()",
            f"DROP POLICY IF EXISTS below ON children; CREATE POLICY below ON children USING (n < {n})",
            f"ALTER TABLE children {self.random.choice(['ENABLE', 'DISABLE'])} ROW LEVEL SECURITY",
            f"{self.random.choice(['GRANT SELECT ON parents TO', 'REVOKE SELECT ON parents FROM'])} PUBLIC",
            f"COMMENT ON TABLE parents IS '{n}'", f"ALTER TYPE mood ADD VALUE IF NOT EXISTS 'mood {n % 20}'"]))

    def roll_back(self):
        with self.conn.transaction(force_rollback=True):
            self.conn.execute("UPDATE parents SET n = n + 1000 WHERE n > 1000")
            self.conn.execute("CREATE TABLE never (n int)")


class Positions(Worker):
    """Notes where records begin: any other position could only be compared with our own idea of where they do."""

    def __init__(self, name, connect, seed):
        super().__init__(name, connect, seed)
        self.found = []
        self.last = None

    def connected(self):
        self.last = None

    def step(self):
        """What had not been flushed when a crash came is nobody's past: so the last but one is noted."""
        now, flushed = self.conn.execute("SELECT (pg_current_wal_insert_lsn() - '0/0')::bigint, "
                                         "(pg_current_wal_flush_lsn() - '0/0')::bigint").fetchone()
        if self.last and self.last <= flushed:
            self.found.append(self.last)
        self.last = now
        time.sleep(0.02)


class Past:
    """A project with a history of its own, and the means to ask stock PostgreSQL about it."""

    def __init__(self, server, major):
        self.server, self.major, self.project = server, major, f"past{major}"
        self.random = random.Random(f"{SEED}-{major}")
        others = moments.lineages(server)
        server.create_project(self.project, major)
        self.lineage, = moments.lineages(server) - others
        self.endpoint = primary(self.project)
        self.uid = server.api.get_endpoint(name=self.endpoint).uid
        server.update_endpoint(self.endpoint, "settings", settings=EndpointSettings({"max_prepared_transactions": "10"}))
        self.parameters = server.connection(self.endpoint, dbname="databricks_postgres")
        pgbench.initialise(self.parameters, 1)
        with self.connect() as conn:
            conn.execute(Rarities.TABLES)
        self.base = server.root / f"base{major}"
        with self.superuser() as admin:
            base_copy(admin, self.base)
        self.moments = []  # (what, "lsn" or "time", value)

    def connect(self):
        return psycopg.connect(**self.parameters, autocommit=True)

    def superuser(self):
        return self.server.superuser(self.endpoint, uid=self.uid)

    def position(self, expression="pg_current_wal_insert_lsn()"):
        """Where a record begins; everything before it is durable."""
        with self.superuser() as admin:
            lsn, = admin.execute(f"SELECT ({expression} - '0/0')::bigint").fetchone()
            admin.execute("INSERT INTO prepared VALUES (-2)")
        return lsn

    # The load

    def live(self):
        """A sleep, two crashes and a checkpoint under load. Answers positions in it, and when it began and ended."""
        workers = [Tables("ddl", self.connect, SEED), Rarities("rare", self.connect, SEED),
                   Checkpoints("checkpoints", self.superuser, SEED, pause=4), Positions("positions", self.superuser, SEED)]
        began = datetime.now(timezone.utc)
        for worker in workers:
            worker.start()
        try:
            for event in self.random.sample(["sleep", "crash", "checkpoint", "crash"], 4):
                load = pgbench.start(self.parameters, "-c", 2, "-T", 300, "-R", 200)
                time.sleep(SECONDS_BETWEEN_EVENTS)  # the stretch of history, not a wait for anything
                if event == "checkpoint":
                    self.checkpoint()
                else:
                    self.end_life(event, workers)
                load.kill()
                load.wait()
        finally:
            for worker in workers:
                worker.stop()
        assert workers[0].steps > 10 and len(workers[1].done) == 9, (workers[0].steps, workers[1].done)
        ended = datetime.now(timezone.utc)
        self.position()  # commits something later than every time, or stock PostgreSQL would not find them
        return workers[-1].found, (began, ended)

    def checkpoint(self):
        with self.superuser() as admin:
            admin.execute("CHECKPOINT")
        for what in ("redo", "checkpoint"):
            lsn = self.position(f"(SELECT {what}_lsn FROM pg_control_checkpoint())")
            self.moments.append((f"a checkpoint's {what} position", "lsn", lsn))

    def end_life(self, event, workers):
        if event == "sleep":
            for worker in workers:
                worker.pause()
            self.server.update_endpoint(self.endpoint, "settings", settings=EndpointSettings({
                "max_prepared_transactions": "10", "work_mem": f"{self.random.randint(2, 9)}MB"}))
            for worker in workers:
                worker.resume()
        else:
            for process in self.server.postgres_of(self.endpoint):
                process.kill()

        def answers():
            try:
                with self.connect() as conn:
                    return conn.execute("INSERT INTO prepared VALUES (-1)").rowcount
            except psycopg.OperationalError:
                return False

        processes.wait_until(answers, "the endpoint answers again")
        self.moments.append((f"between a start after a {event} and its first checkpoint", "lsn", self.position()))

    def draw(self, positions, times):
        while len(self.moments) < MOMENTS:
            if self.random.random() < 0.4:
                self.moments.append(("anywhere", "lsn", self.random.choice(positions)))
            else:
                seconds = self.random.uniform(0, (times[1] - times[0]).total_seconds())
                self.moments.append(("any time", "time", times[0] + timedelta(seconds=seconds)))
        return self.moments[:MOMENTS]

    # The judgement

    def branch_at(self, number, kind, value):
        target = {"lsn": text(value)} if kind == "lsn" else {"time": value}
        return moments.promptly(moments.ask_for_branch_at(self.server, self.project, f"moment-{number}", **target))

    def ours(self, branch):
        endpoint = f"{branch.name}/endpoints/primary"
        with self.server.connect(endpoint):  # keeps it awake
            return contents(lambda database: self.server.superuser(endpoint, dbname=database))

    def theirs(self, wal, timeline, **target):
        with RecoveredPostgres(self.major, self.base, wal, timeline, **target) as stock:
            parameters = stock.connection()
            return contents(lambda database: psycopg.connect(**{**parameters, "dbname": database}, autocommit=True))


def text(lsn):
    return f"{lsn >> 32:X}/{lsn & 0xffffffff:X}"


def number(lsn):
    high, low = lsn.split("/")
    return int(high, 16) << 32 | int(low, 16)


@pytest.mark.parametrize("major", MAJORS)
def test_every_moment_is_what_postgresql_finds_there(server, major, capsys):
    with capsys.disabled():
        print(f"\nPostgreSQL {major}, seed {SEED} (again: TARN_SEED={SEED} script/test oracle)", flush=True)
    past = Past(server, major)
    drawn = past.draw(*past.live())
    wal = server.root / f"wal{major}"
    collect_wal(past.lineage, wal)
    distinct = set()
    beside = ThreadPoolExecutor(1)
    for at, (what, kind, value) in enumerate(drawn):
        branch = past.branch_at(at, kind, value)
        lsn = branch.status.source_branch_lsn
        # A page's header may lie between the end of the record before and where the next one begins.
        assert kind == "time" or value - 40 <= number(lsn) <= value, f"seed {SEED}: {text(value)} became {lsn}"
        expected = beside.submit(past.theirs, wal, timeline_at(wal, number(lsn)),
                                 **({"lsn": text(value)} if kind == "lsn" else {"time": value}))
        found = past.ours(branch)
        distinct.add(str(sorted(found.items())))
        wrong = differences(found, expected.result())
        assert not wrong, f"seed {SEED}, moment {at} ({what}: {value}, which is {lsn}), ours | theirs:\n{wrong}"
        with capsys.disabled():
            print(f"  moment {at}: {what}, {lsn}: the same", flush=True)
        moments.drop(server, past.project, f"moment-{at}")
    assert len(distinct) > len(drawn) // 2, "hardly anything happened between the moments"
