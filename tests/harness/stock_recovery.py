"""Stock PostgreSQL at a moment of somebody's past: a base copy, the WAL since, and its own recovery.

Nothing of Tarn takes part but the bytes of the WAL: what comes out is what PostgreSQL says was there.
"""

import contextlib
import ctypes
import os
import shutil
import struct
import tarfile
import tempfile
from pathlib import Path

import psycopg
from psycopg import pq

from .stock import StockPostgres, binaries, unprivileged

PAGE = 8192
SEGMENT = 16 << 20


def base_copy(superuser, target):
    """A physical copy of a running cluster, by the replication protocol's BASE_BACKUP; its WAL is not part of it.

    `superuser` is a psycopg connection whose parameters are used again for one of replication.
    """
    info = superuser.info
    with psycopg.connect(host=info.host, user=info.user, port=info.port, replication="true") as conn, \
            tempfile.TemporaryFile(dir=target.parent) as tar:
        pgconn = conn.pgconn
        pgconn.send_query(b"BASE_BACKUP (LABEL 'oracle', CHECKPOINT 'fast', MANIFEST 'no')")
        while result := pgconn.get_result():
            if result.status == pq.ExecStatus.FATAL_ERROR:
                raise RuntimeError(f"BASE_BACKUP: {result.error_message.decode()}")
            if result.status == pq.ExecStatus.COPY_OUT:
                read_copy(pgconn, tar)
        tar.seek(0)
        with tarfile.open(fileobj=tar) as archive:
            archive.extractall(target)


def read_copy(pgconn, tar):
    """Messages of one letter each: a new archive, its data, a manifest, progress. There is one archive: no tablespaces."""
    while True:
        size, data = pgconn.get_copy_data(0)
        if size < 0:
            return
        if data[:1] == b"d":
            tar.write(data[1:])


def collect_wal(lineage, target):
    """The WAL of a lineage in one directory, as an archive_command would have left it.

    Each incarnation has its own copy from where it replayed: of files with one name the later one is right as far
    as it goes, and zeros where it does not. So is the first segment of a timeline, which PostgreSQL begins with
    what it has of the one before.
    """
    target.mkdir()
    for incarnation in sorted(p for p in lineage.iterdir() if p.is_dir() and p.name.isdigit()):
        for source in sorted(incarnation.glob("wal*/*")):
            if not source.is_dir() and source.suffix != ".tmp":
                below = target / source.name.removesuffix(".zst")
                below.write_bytes(overlay(wal_once_at(source), below.read_bytes() if below.exists() else b"", SEGMENT))
    for timeline, parent, begin in timelines(target):
        suffix = f"{begin >> 32:08X}{begin % (1 << 32) // SEGMENT:08X}"
        first, before = target / f"{timeline:08X}{suffix}", target / f"{parent:08X}{suffix}"
        if first.exists() and before.exists():
            first.write_bytes(overlay(first.read_bytes(), before.read_bytes(), begin % SEGMENT))


def wal_once_at(path):
    """The bytes of a segment that has been listed: it may have been archived since, and compressed."""
    archived = path.parent.parent / "wal_archive" / path.name.removesuffix(".zst")
    for place in (path, archived, archived.with_name(f"{archived.name}.zst")):
        with contextlib.suppress(FileNotFoundError):
            return plain_wal(place)
    raise FileNotFoundError(f"{path} is gone, and is not in the archive")


def plain_wal(path):
    """The bytes of a segment, compressed (docs/formats/compressed-wal.md) or not."""
    data = path.read_bytes()
    if path.suffix != ".zst":
        return data
    header, (plain_bytes,) = 48, struct.unpack_from("<Q", data, 40)
    plain = ctypes.create_string_buffer(plain_bytes)
    zstd = ctypes.CDLL("libzstd.so.1")
    zstd.ZSTD_decompress.restype = ctypes.c_size_t
    size = zstd.ZSTD_decompress(plain, ctypes.c_size_t(plain_bytes), data[header:], ctypes.c_size_t(len(data) - header))
    assert size == plain_bytes, f"{path}: zstd answers {size}, {plain_bytes} bytes were expected"
    return plain.raw


def timelines(wal):
    """(timeline, its parent, where it begins) of each but the first, oldest first."""
    for history in sorted(wal.glob("*.history")):
        parent, begin = history.read_text().strip().splitlines()[-1].split("\t")[:2]
        high, low = (int(part, 16) for part in begin.split("/"))
        yield int(history.stem, 16), int(parent), high << 32 | low


def timeline_at(wal, lsn):
    return max([1, *(timeline for timeline, _, begin in timelines(wal) if begin < lsn)])


def overlay(data, below, end):
    """`data`, but from `below` the pages that begin before `end` and are zeros."""
    pages = [data[at:at + PAGE] for at in range(0, len(data), PAGE)]
    return b"".join(below[n * PAGE:n * PAGE + PAGE] or page if n * PAGE < end and not any(page) else page
                    for n, page in enumerate(pages))


class RecoveredPostgres(StockPostgres):
    """A base copy brought to just before a position, or to a time, and opened there.

    On the moment's own timeline: on a later one PostgreSQL would look for prepared transactions in segments that
    it has restored under another name.
    """

    def __init__(self, major, base, wal, timeline, lsn=None, time=None, user="cloud_admin"):
        self.bin = binaries(major)
        self.user = user
        self.make_root()
        shutil.copytree(base, self.data)
        for entry in (self.data / "pg_wal").iterdir() if (self.data / "pg_wal").is_dir() else ():
            shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        (self.data / "pg_wal").mkdir(exist_ok=True)
        (self.data / "recovery.signal").touch()
        self.settings = {
            "restore_command": f"cp {wal}/%f %p",
            "recovery_target_timeline": str(timeline),
            "recovery_target_action": "promote",
            "hot_standby": "off",
            "fsync": "off",
            **({"recovery_target_lsn": lsn, "recovery_target_inclusive": "off"} if lsn else
               {"recovery_target_time": time.isoformat()}),
        }
        if options := unprivileged():
            for folder, _, names in os.walk(self.root):
                for path in [folder, *(Path(folder, name) for name in names)]:
                    os.chown(path, options["user"], options["group"], follow_symlinks=False)
        self.data.chmod(0o700)

    def connection(self):
        return {**super().connection(), "user": self.user}
