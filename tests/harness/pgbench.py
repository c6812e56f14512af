"""Runs pgbench, PostgreSQL's own load generator, against connection parameters of the harness."""

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[2]


@functools.cache
def program():
    """A pgbench that runs: Debian's client package has a wrapper that needs the server's package."""
    candidates = [shutil.which("pgbench"), *sorted(Path("/usr/lib/postgresql").glob("*/bin/pgbench"), reverse=True),
                  PROJECT_ROOT / "build/tools/pgbench"]
    for candidate in candidates:
        if candidate and Path(candidate).is_file() and \
                subprocess.run([candidate, "--version"], capture_output=True).returncode == 0:
            return str(candidate)
    raise FileNotFoundError("pgbench is not installed: script/setup --tests")


def environment(connection):
    names = {"host": "PGHOST", "port": "PGPORT", "user": "PGUSER", "password": "PGPASSWORD", "dbname": "PGDATABASE",
             "sslmode": "PGSSLMODE"}
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
    return {**kept, **{names[k]: str(v) for k, v in connection.items() if k in names}}


def initialise(connection, scale, steps="dtGvp"):
    subprocess.run([program(), "-i", "-q", "-s", str(scale), "-I", steps], env=environment(connection), check=True,
                   capture_output=True, text=True)


def start(connection, *arguments):
    """pgbench in the background; its death by a lost connection is the caller's to expect."""
    return subprocess.Popen([program(), "-n", *map(str, arguments)], env=environment(connection),
                            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def run(connection, *arguments):
    """Transactions a second, and transactions, of one run that must end without an error."""
    done = subprocess.run([program(), "-n", *map(str, arguments)], env=environment(connection), capture_output=True, text=True,
                          timeout=3600)
    if done.returncode != 0:
        raise RuntimeError(f"pgbench failed:\n{done.stderr[-2000:]}")
    tps = re.search(r"tps = ([\d.]+)", done.stdout)
    count = re.search(r"transactions actually processed: (\d+)", done.stdout)
    return float(tps.group(1)), int(count.group(1))


BALANCES = """
    SELECT (SELECT coalesce(sum(abalance), 0) FROM pgbench_accounts),
           (SELECT coalesce(sum(bbalance), 0) FROM pgbench_branches),
           (SELECT coalesce(sum(tbalance), 0) FROM pgbench_tellers),
           (SELECT coalesce(sum(delta), 0) FROM pgbench_history)
"""


def assert_balanced(conn):
    """The four sums of TPC-B agree in every state that atomic transactions can leave."""
    sums = conn.execute(BALANCES).fetchone()
    assert len(set(sums)) == 1, f"pgbench's balances disagree: accounts, branches, tellers, history = {sums}"
