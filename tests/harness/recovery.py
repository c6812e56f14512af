"""`tarn recover-metadata` and the records that it reads."""

import contextlib
import json
import os
import sqlite3
import subprocess

from . import processes

LOST = 7  # the exit status if something could not be recovered
WATCHED = {"project": "projects", "branch": "branches", "snapshot": "snapshots"}


def run(server, *arguments):
    """The finished process; what it printed is text."""
    return subprocess.run([str(server.program()), "recover-metadata", "--data-dir", str(server.data), *map(str, arguments)],
                          capture_output=True, text=True, timeout=120,
                          env={**os.environ, "TARN_ADDRESS_BLOCK": server.block})


def records(server):
    return server.data / "records"


def rows_of(path):
    """The rows that a record holds, by table; none of a damaged one."""
    with contextlib.suppress(ValueError, IndexError):
        return json.loads(path.read_text().split("\n", 1)[1])["rows"]
    return {}


def is_recorded(server):
    """Does every record say what the database does?"""
    database = sqlite3.connect(f"file:{server.data}/meta.db?mode=ro", uri=True)
    database.row_factory = sqlite3.Row
    wanted = set()
    try:
        for kind, table in WATCHED.items():
            for row in database.execute(f"SELECT * FROM {table}"):
                path = records(server) / f"{kind}-{row['uid']}.record"
                wanted.add(path)
                if not path.exists() or rows_of(path).get(table) != [dict(row)]:
                    return False
    finally:
        database.close()
    return wanted | {records(server) / "server.record"} == set(records(server).glob("*.record"))


def wait_until_recorded(server, seconds=20):
    processes.wait_until(lambda: is_recorded(server), "the records of the metadata", seconds)


def lose_database(server):
    for path in server.data.glob("meta.db*"):
        path.unlink()
