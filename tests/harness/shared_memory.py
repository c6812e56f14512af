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


def unused(user):
    """Names of the segments of a user (its number) that no process has attached or mapped."""
    found = set()
    for line in Path("/proc/sysvipc/shm").read_text().splitlines()[1:]:
        fields = line.split()
        size, attached, owner = int(fields[3]), int(fields[6]), int(fields[7])
        if size == SEGMENT_BYTES and attached == 0 and owner == user:
            found.add(f"System V segment {fields[1]}")
    dynamic = {str(path) for path in Path("/dev/shm").glob("PostgreSQL.*") if owner_of(path) == user}
    if dynamic:
        found |= dynamic.difference(*(mapped_by(entry) for entry in os.listdir("/proc") if entry.isdigit()))
    return found


def owner_of(path):
    try:
        return path.stat().st_uid
    except FileNotFoundError:
        return None
