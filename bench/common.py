"""What the benchmarks share: the right Python, progress on standard error, one JSON line at the end."""

import argparse
import json
import math
import os
import subprocess
import sys
import time
from pathlib import Path

PROJECT_ROOT = Path(__file__).resolve().parents[1]
PYTHON = PROJECT_ROOT / "build/venv/sdk-newest/bin/python"


def enter_environment():
    """Goes on in the project's own Python environment; makes it, and the program, where they are missing."""
    program = Path(os.environ.get("TARN_BIN", PROJECT_ROOT / "build/release/bin/tarn"))
    if not PYTHON.exists() or not program.exists():
        for step in (["setup", "--tests"], ["build", "release", "tarn"]):
            subprocess.run([PROJECT_ROOT / "script" / step[0], *step[1:]], check=True, stdout=sys.stderr)
    if Path(sys.prefix) != PYTHON.parents[1]:
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    sys.path.insert(0, str(PROJECT_ROOT / "tests"))


def options(text, keys, **more):
    """Parses --quick and --pg-version; `keys` is the meaning of every key of the JSON line, shown by --help."""
    width = max(map(len, keys))
    epilog = "keys of the JSON line:\n" + "\n".join(f"  {key:<{width}}  {meaning}" for key, meaning in keys.items())
    parser = argparse.ArgumentParser(description=text, epilog=epilog, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small and short, below 50 s")
    parser.add_argument("--pg-version", type=int, default=17, choices=(16, 17, 18))
    for name, settings in more.items():
        parser.add_argument("--" + name.replace("_", "-"), **settings)
    return parser.parse_args()


def processor_times():
    """(all, taken by other guests of the machine) since it started, in ticks."""
    times = [int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:9]]
    return sum(times), times[7]


STARTED, TIMES = time.monotonic(), processor_times()


def progress(text):
    print(f"[{time.monotonic() - STARTED:6.1f} s] {text}", file=sys.stderr, flush=True)


def finish(keys, values):
    missing = set(keys) ^ set(values)
    assert not missing, f"the JSON line and --help disagree about {missing}"
    whole, stolen = (now - then for now, then in zip(processor_times(), TIMES))
    progress(f"other guests took {100 * stolen / max(whole, 1):.0f} % of the processors' time meanwhile")
    print(json.dumps({key: round(values[key], 4) if isinstance(values[key], float) else values[key] for key in keys}), flush=True)


def percentile(values, share):
    """The smallest value that at least `share` of the values do not exceed."""
    ordered = sorted(values)
    return ordered[max(0, math.ceil(share * len(ordered)) - 1)]


def megabytes_but_wal(*folders):
    """What page versions, indexes, restore points and maps take below folders of the store."""
    return sum(sum(files_of(folder, ("wal", "wal_archive")).values()) for folder in folders) / 1024


def median(values):
    return percentile(values, 0.5)


def drop_caches(*folders):
    """Asks the kernel to forget the pages of every file below these folders: no root needed, nobody else slowed.

    Dirty pages are written first, since only clean ones can be dropped.
    """
    os.sync()
    for folder in folders:
        for root, _, names in os.walk(folder):
            for name in names:
                path = Path(root, name)
                if path.is_symlink() or not path.is_file():
                    continue
                try:
                    descriptor = os.open(path, os.O_RDONLY)
                except FileNotFoundError:  # of a database that still runs
                    continue
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
                os.close(descriptor)


def files_of(folder, without=()):
    """(device, inode) -> allocated KiB of everything below a folder but folders of certain names.

    Holes and further hard links cost nothing.
    """
    found = {}
    for root, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if name not in without]
        for name in [*folders, *names]:
            try:
                status = os.lstat(os.path.join(root, name))
            except FileNotFoundError:
                continue
            found[status.st_dev, status.st_ino] = status.st_blocks / 2
    return found
