"""Finds and kills the processes of one server, by looking at what runs and never by remembering.

A process belongs to a data directory if its command line or environment names that directory, or if
one of its ancestors does: PostgreSQL's children rewrite their command lines.
"""

import contextlib
import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Process:
    pid: int
    parent: int
    start: int  # clock ticks since boot: with the pid, names one process for ever
    command: str

    @property
    def is_postmaster(self):
        # A child's title begins "postgres: "; the postmaster keeps its program's path.
        return "/postgres " in self.command + " " and not self.command.startswith("postgres: ")

    @property
    def is_server(self):
        return "/tarn serve " in self.command + " "

    @property
    def is_supervisor(self):
        return "/tarn supervise " in self.command + " "

    def alive(self):
        now = read_process(self.pid)
        return now is not None and now.start == self.start

    def kill(self, sig=signal.SIGKILL):
        if not self.alive():
            return False
        try:
            os.kill(self.pid, sig)
            return True
        except ProcessLookupError:
            return False


def read_process(pid):
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = stat[stat.rindex(")") + 2:].split()
    if fields[0] == "Z":  # dead, not yet waited for
        return None
    return Process(pid, int(fields[1]), int(fields[19]), command.replace(b"\0", b" ").decode(errors="replace").strip())


def all_processes():
    found = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit() and (process := read_process(int(entry))):
            found[process.pid] = process
    return found


def names_directory(process, directory):
    if directory in process.command:
        return True
    try:
        return directory.encode() in Path(f"/proc/{process.pid}/environ").read_bytes()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return False


def of_directory(directory):
    """Every process of the server of this data directory: server, supervisors, PostgreSQL. Not ourselves."""
    directory = str(directory)
    everything = all_processes()
    mine = {pid for pid, process in everything.items() if names_directory(process, directory)}
    grown = True
    while grown:
        grown = False
        for pid, process in everything.items():
            if pid not in mine and process.parent in mine and process.parent != 1:
                mine.add(pid)
                grown = True
    ours = os.getpid()
    return [everything[pid] for pid in sorted(mine) if pid != ours and not is_ancestor(everything, pid, ours)]


def is_ancestor(everything, pid, of):
    while of in everything and of > 1:
        if of == pid:
            return True
        of = everything[of].parent
    return False


def wait_until(condition, what, seconds=60, every=0.02):
    """Polls `condition` and answers its first true value; says what was waited for when time is over."""
    deadline = time.monotonic() + seconds
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what}: not within {seconds} s")
        time.sleep(every)


def kill_all(directory, seconds=30):
    """Kills until nothing of the directory is left: what is killed may have children that nobody listed."""
    def none_left():
        left = of_directory(directory)
        for process in left:
            process.kill()
        return not left

    wait_until(none_left, f"processes of {directory} gone", seconds)


def end_all(directory):
    """kill_all(), but PostgreSQL first: its supervisor then removes the shared memory that a killed one leaves."""
    def supervisors_gone():
        left = of_directory(directory)
        for process in left:
            if process.is_server or process.is_postmaster:
                process.kill()
        return not any(process.is_supervisor for process in left)

    with contextlib.suppress(TimeoutError):
        wait_until(supervisors_gone, f"supervisors of {directory} gone", 10)
    kill_all(directory)
