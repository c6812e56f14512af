"""`tarn verify` on a server's data directory."""

import json
import subprocess


def run(server, *arguments):
    """The finished process; what it printed is text."""
    return subprocess.run([str(server.program()), "verify", "--data-dir", str(server.data), *map(str, arguments)],
                          capture_output=True, text=True, timeout=600)


def findings(server, *arguments):
    """What --json prints."""
    done = run(server, "--json", *arguments)
    assert done.stdout, f"tarn verify ended with {done.returncode}: {done.stderr}"
    return json.loads(done.stdout)


def assert_whole(server):
    done = run(server)
    assert done.returncode == 0 and "\ndamage" not in "\n" + done.stdout, \
        f"tarn verify ended with {done.returncode}:\n{done.stdout[-4000:]}{done.stderr[-1000:]}"
    return done.stdout
