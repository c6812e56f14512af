"""A server whose data directory is a small file system of its own."""

import os
import subprocess
from pathlib import Path

import psycopg

from . import processes
from .server import Server


def may_mount():
    return subprocess.run(["unshare", "--mount", "sh", "-c", "mount -t tmpfs none /mnt"], capture_output=True).returncode == 0


class SmallDisk(Server):
    """1 GB, in a mount namespace that a process of its own holds: it outlives the server and its computes."""

    def __init__(self, options=()):
        super().__init__(options=options)
        self.data.mkdir()
        self.holder = subprocess.Popen(["unshare", "--mount", "sh", "-c",
                                        'mount -t tmpfs -o size=1g,mode=755 none "$0" && echo ready && exec cat', str(self.data)],
                                       stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True)
        assert self.holder.stdout.readline() == b"ready\n"
        self.wrapper = ["nsenter", "-m", "-t", str(self.holder.pid), "--"]

    def destroy(self):
        super().destroy()
        self.holder.stdin.close()
        self.holder.wait()

    def inside(self, path):
        """A path of the small disk as everybody else finds it."""
        return Path(f"/proc/{self.holder.pid}/root{path}")

    def grow(self):
        subprocess.run([*self.wrapper, "mount", "-o", "remount,size=3g", self.data], check=True)

    def free_bytes(self):
        found = os.statvfs(self.inside(self.data))
        return found.f_bavail * found.f_frsize

    def postgres_log(self, endpoint):
        uid = self.api.get_endpoint(name=endpoint).uid
        return self.inside(self.data / "endpoints" / uid / "log/postgres.log").read_text(errors="replace")


def fill(conn, table):
    """Inserts a megabyte at a time until it fails; the acknowledged megabytes and the error."""
    for n in range(100_000):
        try:
            conn.execute(f"INSERT INTO {table} SELECT %s, repeat(md5(g::text), 30) FROM generate_series(1, 1000) g", (n,))
        except psycopg.Error as error:
            return n, error
    raise AssertionError("the disk never filled")
