"""A stock PostgreSQL beside Tarn: the same binaries, no page store, tuned by its own users' advice."""

import contextlib
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg

from . import processes
from .guard import Guard


def binaries(major):
    """The directory of postgres and initdb of a major, in the order in which Tarn looks."""
    home = os.environ.get("TARN_HOME") or ("/var/lib/tarn" if os.geteuid() == 0 else Path.home() / ".tarn")
    candidates = [Path("/usr/lib/postgresql", str(major)), Path(home, "postgres", str(major))]
    if configured := os.environ.get("TARN_PG_DIR"):
        candidates.insert(0, Path(configured, str(major)))
    for candidate in candidates:
        if os.access(candidate / "bin/postgres", os.X_OK) and os.access(candidate / "bin/initdb", os.X_OK):
            return candidate / "bin"
    raise FileNotFoundError(f"PostgreSQL {major} is not installed: script/setup")


def unprivileged():
    """Arguments for subprocess that drop root, which PostgreSQL refuses to run as."""
    if os.geteuid() != 0:
        return {}
    nobody = pwd.getpwnam("nobody")
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


class StockPostgres:
    def __init__(self, major=17, settings=None):
        self.bin = binaries(major)
        self.settings = dict(settings or {})
        self.make_root()
        # Tarn's own encoding and locale: how text is checked and compared costs both sides the same.
        locale = ["--encoding=UTF8", "--locale=C.UTF-8"]
        if major >= 17:
            locale += ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
        subprocess.run([self.bin / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust", "--no-sync", *locale],
                       check=True, stdout=subprocess.DEVNULL, cwd="/", **unprivileged())

    def make_root(self):
        self.root = Path(tempfile.mkdtemp(prefix="tarn-stock-", dir="/var/tmp"))
        self.data = self.root / "data"
        self.log = self.root / "log"
        self.process = None
        self._guard = Guard(self.root)
        self.root.chmod(0o755)
        if options := unprivileged():
            os.chown(self.root, options["user"], options["group"])

    def start(self, seconds=120, every=0.001):  # short, since bench/wake times this
        settings = {"listen_addresses": "", "unix_socket_directories": str(self.root), **self.settings}
        arguments = [a for name, value in settings.items() for a in ("-c", f"{name}={value}")]
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.bin / "postgres", "-D", self.data, *arguments], cwd="/",
                                            stdin=subprocess.DEVNULL, stdout=log, stderr=log, **unprivileged())
        deadline = time.monotonic() + seconds
        while True:
            if self.process.poll() is not None:
                raise RuntimeError(f"stock PostgreSQL ended:\n{self.log.read_text()[-2000:]}")
            try:
                with self.connect() as conn:
                    conn.execute("SELECT 1")
                return self
            except psycopg.OperationalError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(every)

    def connection(self):
        return {"host": str(self.root), "port": 5432, "user": "postgres", "dbname": "postgres"}

    def connect(self):
        return psycopg.connect(**self.connection(), autocommit=True)

    def query(self, statement):
        with self.connect() as conn:
            cursor = conn.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def stop(self):
        if self.process:
            self.process.send_signal(2)  # SIGINT: fast shutdown
            self.process.wait(timeout=120)
            self.process = None

    def destroy(self):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGQUIT)  # an immediate end, which removes its shared memory
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(timeout=10)
        processes.kill_all(self.root)
        if self.process:
            self.process.wait()
        shutil.rmtree(self.root, ignore_errors=True)
        self._guard.dismiss()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.destroy()
