"""The databases that benchmarks of a load compare: Tarn's and stock's, and how they take turns.

To be imported once common.enter_environment() has returned.
"""

import contextlib
import signal
from concurrent.futures import ThreadPoolExecutor

import common
from harness import pgbench
from harness.server import primary, timed

WAL_POSITION = "SELECT pg_current_wal_insert_lsn() - '0/0'"
SCAN = "SELECT count(*), sum(abalance) FROM pgbench_accounts"


class Side:
    """One of the databases under test."""

    def __init__(self, name, connection, connect, restart, folder):
        self.name, self.connection, self.connect, self.restart, self.folder = name, connection, connect, restart, folder
        self.loaded = 0

    def value(self, statement):
        with self.connect() as conn:
            return conn.execute(statement).fetchone()[0]

    def scan(self):
        """Seconds of one scan by a connection that is open already."""
        with self.connect() as conn:
            conn.execute("SET max_parallel_workers_per_gather = 0")
            _, ms = timed(lambda: conn.execute(SCAN).fetchone())
        return ms / 1000

    def load(self, data, rows):
        """Rows a second of one COPY, into a table of its own: it stays until drop_loaded(), or stock would never have to
        write it."""
        self.loaded += 1
        with self.connect() as conn:
            conn.execute(f"CREATE TABLE loaded_{self.loaded} (id int, a int, b int, filler text)")

            def copy():
                with conn.cursor().copy(f"COPY loaded_{self.loaded} FROM STDIN") as stream:
                    for start in range(0, len(data), 1 << 20):
                        stream.write(data[start:start + (1 << 20)])

            _, ms = timed(copy)
        return rows / ms * 1000

    def drop_loaded(self):
        with self.connect() as conn:
            for number in range(1, self.loaded + 1):
                conn.execute(f"DROP TABLE loaded_{number}")
        self.loaded = 0


class Tarn:
    """One project's main branch."""

    project = "bench"

    def __init__(self, server, major):
        self.server, self.endpoint = server, primary(self.project)
        server.create_project(self.project, major)
        # Awake throughout, and as large as this machine: no limit of a compute takes part.
        server.update_endpoint(self.endpoint, "autoscaling_limit_min_cu", "autoscaling_limit_max_cu", "no_suspension",
                               autoscaling_limit_min_cu=8.0, autoscaling_limit_max_cu=8.0, no_suspension=True)
        server.query(self.endpoint, "SELECT 1")

    def connect(self):
        """Over the compute's socket as its superuser, as stock is measured."""
        return self.server.superuser(self.endpoint)

    def restart(self):
        """Stops and starts its PostgreSQL, and nothing else."""
        self.server.update_endpoint(self.endpoint, disabled=True)
        self.server.wait_for_state(self.endpoint, "IDLE")
        self.server.update_endpoint(self.endpoint, disabled=False)
        self.server.query(self.endpoint, "SELECT 1")

    def side(self, name="tarn"):
        return Side(name, lambda: self.server.direct(self.endpoint), self.connect, self.restart, self.server.data)

    def proxied(self):
        """As a client of the service comes: TLS, token, proxy."""
        return Side("proxy", lambda: self.server.connection(self.endpoint, user=self.server.user), self.connect, self.restart,
                    self.server.data)


def stock_side(stock):
    def restart():
        stock.stop()
        stock.start()

    return Side("stock", stock.connection, stock.connect, restart, stock.root)


def fill(sides, scale):
    common.progress(f"filling {len(sides)} databases, scale {scale}")
    with ThreadPoolExecutor() as pool:
        for filled in [pool.submit(pgbench.initialise, side.connection(), scale) for side in sides]:
            filled.result()
    for side in sides:
        with side.connect() as conn:
            conn.execute("CHECKPOINT")
        settings = ("shared_buffers", "full_page_writes", "max_wal_size", "checkpoint_timeout", "fsync", "wal_level",
                    "data_checksums", "server_encoding")
        common.progress(f"{side.name}: " + ", ".join(f"{s}={side.value(f'SHOW {s}')}" for s in settings))


def turns(sides, rounds):
    """(round, side): in turn, the first of a round changing each time."""
    for number in range(1, rounds + 1):
        for side in sides if number % 2 else sides[::-1]:
            yield number, side


def alternate(sides, rounds, what, action):
    """For each side what its runs gave, in the order of the rounds."""
    found = {side.name: [] for side in sides}
    for number, side in turns(sides, rounds):
        found[side.name].append(action(side))
        common.progress(f"{what}, run {number} of {rounds}, {side.name}: {found[side.name][-1]:,.2f}")
    return found


@contextlib.contextmanager
def stopped(server):
    """None of its processes gets on: what it has to do in the background is left for its own turn."""
    stopped = {}
    try:
        while new := {p.pid: p for p in server.processes() if p.pid not in stopped}:  # one may just have been made
            stopped |= new
            for process in new.values():
                process.kill(signal.SIGSTOP)
        yield
    finally:
        for process in stopped.values():
            process.kill(signal.SIGCONT)


def alternate_pgbench(sides, slices, seconds, what, *arguments, alone=lambda side: contextlib.nullcontext()):
    """Of each side, over `slices` runs of `seconds` seconds: transactions a second, and bytes of WAL a transaction.
    `alone` keeps others away from a side during its turn."""
    count, took, wal = ({side.name: 0.0 for side in sides} for _ in range(3))
    for number, side in turns(sides, slices):
        with alone(side):
            before = side.value(WAL_POSITION)
            tps, done = pgbench.run(side.connection(), *arguments, "-j", 2, "-T", seconds)
            wal[side.name] += float(side.value(WAL_POSITION) - before)
        count[side.name] += done
        took[side.name] += done / tps  # without the time that connecting took
        common.progress(f"{what}, slice {number} of {slices}, {side.name}: {tps:,.1f}")
    return {n: count[n] / took[n] for n in count}, {n: wal[n] / count[n] for n in count}


def cold_scan(side):
    side.restart()
    common.drop_caches(side.folder)
    return 1 / side.scan()
