"""Faults in a running process's calls, by strace: the real kernel and the real program, one call that ends otherwise."""

import contextlib
import functools
import shutil
import subprocess
from pathlib import Path

import pytest


class Gone(RuntimeError):
    """The process ended before strace was there."""


def runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def end(tracer):
    tracer.terminate()
    try:
        tracer.communicate(timeout=10)
    except subprocess.TimeoutExpired:
        # Told to go while the process is being killed, strace may wait for the process's first thread, which ends only
        # after its others, one of which only strace can let go of.
        tracer.kill()
        tracer.communicate()


@contextlib.contextmanager
def traced(pid, output, *arguments):
    """strace on a running process, from when it has attached on. Gone if it runs no more."""
    tracer = subprocess.Popen(["strace", "-f", "-y", "-s", "256", "-o", str(output), *arguments, "-p", str(pid)],
                              stderr=subprocess.PIPE, text=True)
    said = tracer.stderr.readline()
    if "attached" not in said:
        tracer.wait()
        raise (RuntimeError if runs(pid) else Gone)(f"strace: {said}")
    try:
        yield
    finally:
        end(tracer)


@functools.cache
def may_trace():
    if not shutil.which("strace"):
        return False
    sleeper = subprocess.Popen(["sleep", "60"])
    try:
        with traced(sleeper.pid, "/dev/null"):
            return True
    except RuntimeError:
        return False
    finally:
        sleeper.kill()
        sleeper.wait()


needs_trace = pytest.mark.skipif(not may_trace(), reason="tracing another process needs a right that this user has not")
