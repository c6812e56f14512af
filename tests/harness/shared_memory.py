"""Shared memory that PostgreSQL has made: what of it nobody uses any more, and what a process uses."""

import os
from pathlib import Path

FOLDER = "/dev/shm/PostgreSQL."
SEGMENT_BYTES = 56  # of the System V segment that guards a data directory


def mapped_by(pid):
    """Paths of the dynamic segments in a process's memory."""
    try:
        maps = Path(f"/proc/{pid}/maps").read_text()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return set()
    return {word for line in maps.splitlines() if FOLDER in line for word in line.split() if word.startswith(FOLDER)}


def system_v():
    """(name, creator's pid, how many have it attached, user's number) of each segment that PostgreSQL may have made."""
    for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        fields = line.split()
        if int(fields[3]) == SEGMENT_BYTES:
            yield f"System V segment {fields[1]}", int(fields[4]), int(fields[6]), int(fields[7])


def used_by(postmaster, *others):
    """Names of the segments of a running PostgreSQL, by the pids of its processes."""
    made = {name for name, creator, _, _ in system_v() if creator == postmaster}
    return made.union(*map(mapped_by, (postmaster, *others)))


def unused(user):
    """Names of the segments of a user (its number) that no process has attached or mapped."""
    found = {name for name, _, attached, owner in system_v() if attached == 0 and owner == user}
    dynamic = {str(path) for path in Path("/dev/shm").glob("PostgreSQL.*") if owner_of(path) == user}
    if dynamic:
        found |= dynamic.difference(*(mapped_by(entry) for entry in os.listdir("/proc") if entry.isdigit()))
    return found


def owner_of(path):
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None
