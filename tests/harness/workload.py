"""Load that remembers what was acknowledged, so that a crash can be judged.

Every worker runs in its own thread with its own connection, reconnects when it is lost, and keeps a
model. What the server acknowledged must be there after any crash; what it refused must not be; what
was on its way when the connection broke may be there or not, but whole.
"""

import random
import threading
import time

import psycopg

from . import processes

RECONNECT_SECONDS = 60


class Worker(threading.Thread):
    """Repeats step() until stopped; can be paused between two steps."""

    def __init__(self, name, connect, seed):
        super().__init__(name=name, daemon=True)
        self.connect = connect
        self.random = random.Random(f"{seed}-{name}")
        self.conn = None
        self.error = None
        self.longest_outage = 0.0
        self._ended, self._going, self._resting = threading.Event(), threading.Event(), threading.Event()
        self._going.set()

    # For the driver

    def pause(self, seconds=RECONNECT_SECONDS + 60):
        self._going.clear()
        if not self._resting.wait(seconds):
            raise TimeoutError(f"{self.name} did not come to rest within {seconds} s")
        self.raise_error()

    def resume(self):
        self._resting.clear()
        self._going.set()

    def stop(self):
        self._ended.set()
        self._going.set()
        self.join(RECONNECT_SECONDS + 60)
        self.raise_error()

    def raise_error(self):
        if self.error:
            raise self.error

    # For the worker

    def run(self):
        try:
            while not self._ended.is_set():
                if not self._going.is_set():
                    self.disconnect()  # a check may need locks, and sees no half-done transaction
                    self._resting.set()
                    self._going.wait()
                    continue
                self.turn()
        except BaseException as error:  # shown by the driver, which is the one to fail
            self.error = error
            self._resting.set()
        finally:
            self.disconnect()

    def turn(self):
        try:
            self.ensure_connected()
            self.step()
        except psycopg.OperationalError:
            self.disconnect()

    def ensure_connected(self):
        if self.conn is not None and not self.conn.closed:
            return
        started = time.monotonic()
        while True:
            try:
                self.conn = self.connect()
                break
            except psycopg.OperationalError as error:
                if time.monotonic() - started > RECONNECT_SECONDS:
                    raise RuntimeError(f"{self.name}: no connection for {RECONNECT_SECONDS} s: {error}") from error
                time.sleep(0.02)
        self.longest_outage = max(self.longest_outage, time.monotonic() - started)
        self.outlive_predecessors()
        self.connected()

    def outlive_predecessors(self):
        """Waits for backends of lost connections: after the death of the proxy alone they still finish their
        statement, and only then can be told whether it took effect."""
        self.conn.execute("SELECT set_config('application_name', %s, false)", (f"worker {self.name}",))
        others = "SELECT count(*) FROM pg_stat_activity WHERE application_name = %s AND pid <> pg_backend_pid()"
        processes.wait_until(lambda: self.conn.execute(others, (f"worker {self.name}",)).fetchone()[0] == 0,
                             f"end of the earlier backends of worker {self.name}", RECONNECT_SECONDS)

    def disconnect(self):
        if self.conn is not None:
            self.conn.close()
            self.conn = None

    def connected(self):
        """After every new connection, before the first step."""

    def step(self):
        raise NotImplementedError


class Ledger(Worker):
    """Commits numbered groups of rows and remembers which were acknowledged."""

    TABLE = "CREATE TABLE ledger (worker text, n int, part int, parts int, PRIMARY KEY (worker, n, part))"

    def __init__(self, name, connect, seed, delay=0.0):
        super().__init__(name, connect, seed)
        self.delay = delay  # seconds that the statement runs before it commits
        self.next = 0
        self.acknowledged, self.unknown, self.undone = {}, {}, set()
        self.sent = threading.Event()

    def step(self):
        n, parts = self.next, self.random.randint(1, 5)
        self.next += 1
        self.unknown[n] = parts
        self.sent.set()
        # One statement, committed by itself: no moment between the answer and the commit.
        self.conn.execute(
            "INSERT INTO ledger SELECT %s, %s, part, %s FROM generate_series(1, %s) part, "
            "(SELECT pg_sleep(%s) OFFSET 0) wait", (self.name, n, parts, parts, self.delay))
        self.acknowledged[n] = self.unknown.pop(n)

    def check(self, conn):
        """Every acknowledged group is there, every group is whole, nothing was made up.

        Judged while the worker rests, so what was unknown is settled now and must stay as it is found.
        """
        rows = conn.execute("SELECT n, count(*), min(parts), max(parts) FROM ledger WHERE worker = %s GROUP BY n",
                            (self.name,)).fetchall()
        there = {n: count for n, count, _, _ in rows}
        lost = sorted(set(self.acknowledged) - set(there))
        assert not lost, f"{self.name}: {len(lost)} acknowledged commits are lost, the first is {lost[0]}"
        made_up = sorted(set(there) - set(self.acknowledged) - set(self.unknown) - self.undone)
        assert not made_up, f"{self.name}: groups that were never sent: {made_up[:5]}"
        torn = [row for row in rows if not row[1] == row[2] == row[3]]
        assert not torn, f"{self.name}: groups that are not whole: {torn[:5]}"
        risen = sorted(self.undone & set(there))
        assert not risen, f"{self.name}: groups that were undone are back: {risen[:5]}"
        for n, parts in self.unknown.items():
            if n in there:
                self.acknowledged[n] = parts
            else:
                self.undone.add(n)
        self.unknown.clear()


class Tables(Worker):
    """Creates, fills, rewrites, truncates and drops tables, and databases; knows what each must hold.

    A statement on its way when the connection broke left the state before it or the one after it: the
    next connection looks which, and anything else is a failure.
    """

    def __init__(self, name, connect, seed, with_databases=True):
        super().__init__(name, connect, seed)
        self.tables = {}       # name -> (rows, sum of their numbers)
        self.databases = set()
        self.with_databases = with_databases
        self.in_doubt = None   # (kind, name, before, after)
        self.steps = 0

    def connected(self):
        if self.in_doubt:
            kind, name, before, after = self.in_doubt
            now = self.look(kind, name, self.conn)
            assert now in (before, after), f"{kind} {name} is {now}; it was {before} and would have become {after}"
            self.remember(kind, name, now)
            self.in_doubt = None

    def look(self, kind, name, conn):
        if kind == "database":
            return conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None
        if conn.execute("SELECT to_regclass(%s)", (name,)).fetchone()[0] is None:
            return None
        return conn.execute(f"SELECT count(*), coalesce(sum(n), 0)::bigint FROM {name}").fetchone()

    def remember(self, kind, name, state):
        if kind == "database":
            (self.databases.add if state else self.databases.discard)(name)
        elif state is None:
            self.tables.pop(name, None)
        else:
            self.tables[name] = state

    def step(self):
        kind, name, after, statement = self.choose()
        before = name in self.databases if kind == "database" else self.tables.get(name)
        self.in_doubt = (kind, name, before, after)
        self.conn.execute(statement)
        self.remember(kind, name, after)
        self.in_doubt = None
        self.steps += 1

    def choose(self):
        """(kind, name, the state after it, the statement)"""
        if self.with_databases and self.random.random() < 0.04:
            return self.choose_database()
        if len(self.tables) < 3 or (len(self.tables) < 12 and self.random.random() < 0.25):
            # Names come back, so that a re-created table must not show its predecessor's rows.
            name = f"{self.name}_{self.random.choice([n for n in range(16) if f'{self.name}_{n}' not in self.tables])}"
            rows = self.random.randint(0, 3000)
            return ("table", name, (rows, rows * (rows + 1) // 2),
                    f"CREATE TABLE {name} AS SELECT n::bigint, repeat('x', n % 200) AS filler FROM generate_series(1, {rows}) n")
        name = self.random.choice(sorted(self.tables))
        rows, total = self.tables[name]
        more = self.random.randint(1, 2000)
        first = self.random.randint(1, 1_000_000)
        return self.random.choice([
            ("table", name, None, f"DROP TABLE {name}"),
            ("table", name, (0, 0), f"TRUNCATE {name}"),
            ("table", name, (0, 0), f"DELETE FROM {name}"),
            ("table", name, (rows, total), f"VACUUM FULL {name}"),
            ("table", name, (rows, total), f"VACUUM {name}"),
            ("table", name, (rows, total), f"CREATE INDEX ON {name} (n)"),
            ("table", name, (rows, total), f"REINDEX TABLE {name}"),
            ("table", name, (rows, total), f"ALTER TABLE {name} ALTER filler TYPE {self.random.choice(['text', 'varchar(500)'])}"),
            ("table", name, (rows, total + rows), f"UPDATE {name} SET n = n + 1"),
            ("table", name, (rows + more, total + more * first),
             f"INSERT INTO {name} SELECT {first}, repeat('y', g % 300) FROM generate_series(1, {more}) g"),
            ("table", name, (rows + more, total + more * first),
             f"INSERT INTO {name} SELECT {first}, 'z' FROM generate_series(1, {more}) g"),
        ])

    def choose_database(self):
        name = f"{self.name}_db{self.random.randint(1, 3)}"
        if name in self.databases:
            return "database", name, False, f"DROP DATABASE {name}"
        strategy = self.random.choice(["wal_log", "file_copy"])
        return "database", name, True, f"CREATE DATABASE {name} TEMPLATE template0 STRATEGY {strategy}"

    def check(self, conn):
        if self.in_doubt:
            return  # judged at its own next connection
        for name, state in self.tables.items():
            found = self.look("table", name, conn)
            assert found == state, f"table {name} holds {found}, not {state} (rows, sum)"
        rows = conn.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE %s",
                            (f"{self.name}\\_%",)).fetchall()
        extra = {name for name, in rows} - set(self.tables)
        assert not extra, f"tables that were dropped, or never made: {sorted(extra)}"
        for name in (f"{self.name}_db{n}" for n in (1, 2, 3)):
            found = self.look("database", name, conn)
            assert found == (name in self.databases), f"database {name}: there {found}, expected {name in self.databases}"


class Checkpoints(Worker):
    """Forces checkpoints at random moments, so that kills meet seals at every stage."""

    def __init__(self, name, connect, seed, pause=0.3):
        super().__init__(name, connect, seed)
        self.pause_seconds = pause

    def step(self):
        self.conn.execute("CHECKPOINT")
        self.conn.execute("SELECT pg_sleep(%s)", (self.random.uniform(0, self.pause_seconds),))


AMCHECK_INDEXES = """
    SELECT c.oid::regclass::text, bt_index_check(c.oid, i.indisunique)
      FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
     WHERE a.amname = 'btree' AND c.relpersistence = 'p' AND i.indisready AND i.indisvalid AND c.relkind = 'i'
"""
AMCHECK_TABLES = """
    SELECT c.oid::regclass::text, v.blkno, v.offnum, v.msg
      FROM pg_class c CROSS JOIN LATERAL verify_heapam(c.oid) v
     WHERE c.relkind IN ('r', 't', 'm') AND c.relpersistence = 'p'
"""


def amcheck(conn):
    """All B-trees against their tables, all heaps against the transaction log. Raises on the first finding."""
    conn.execute("CREATE EXTENSION IF NOT EXISTS amcheck")
    indexes = conn.execute(AMCHECK_INDEXES.replace("i.indisunique", "true")).fetchall()
    found = conn.execute(AMCHECK_TABLES).fetchall()
    assert not found, f"verify_heapam: {len(found)} findings, the first: {found[:3]}"
    assert len(indexes) > 100, "amcheck saw hardly any index: the catalogs alone have more"
