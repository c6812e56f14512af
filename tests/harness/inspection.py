"""`tarn inspect` on a server's files."""

import json
import subprocess

from .server import TARN

DAMAGED = 7


def run(*arguments, data=None, program=None, seconds=60):
    """The finished process; what it printed is text."""
    place = ["--data-dir", str(data)] if data else []
    return subprocess.run([str(program or TARN), "inspect", *place, *map(str, arguments)],
                          capture_output=True, text=True, errors="replace", timeout=seconds)


def look(*arguments, data=None):
    """What --json prints; the exit status says whether it tells of damage."""
    done = run("--json", *arguments, data=data)
    assert done.returncode in (0, DAMAGED), f"tarn inspect ended with {done.returncode}: {done.stderr}"
    document = json.loads(done.stdout)
    assert (done.returncode == DAMAGED) == ('"damage":' in done.stdout), done.stdout[-2000:]
    return document
