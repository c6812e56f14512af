"""`tarn backup`: taken of a server, and a new server on what was restored."""

import subprocess

from .server import TARN, Server


def run(server, *arguments, environment=None, seconds=300):
    """The finished process; what it printed is text."""
    return subprocess.run([str(server.program() if server else TARN), "backup", *map(str, arguments)],
                          capture_output=True, text=True, timeout=seconds, env=environment)


def take(server, place, *arguments, **options):
    """A backup that must succeed; what it printed."""
    done = run(server, "--data-dir", server.data, "--to", place, *arguments, **options)
    assert done.returncode == 0, f"tarn backup ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


def restore(place, data, *arguments, status=0, **options):
    done = run(None, "restore", "--from", place, "--data-dir", data, *arguments, **options)
    assert done.returncode == status, f"restore ended with {done.returncode}: {done.stdout}{done.stderr}"
    return done.stdout


class RestoredServer(Server):
    """Another machine: nothing of the first server is there but its backup. That one is down: endpoints keep
    their addresses."""

    def __init__(self, origin, place, *arguments, status=0, **options):
        super().__init__()
        self.block = origin.block
        self.said = restore(place, self.data, *arguments, status=status, **options)
