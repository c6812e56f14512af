"""`tarn backup` as an operator uses it: beside a working server, killed midway, to a directory and to an S3 server; and
another machine, on which every moment is what it was on the first.

The moments come from a seed, which is printed; TARN_SEED=N draws the same again. TARN_MOMENTS=N takes N of them.
"""

import os
import random
import re
import signal
import subprocess
import time
from datetime import datetime, timezone
from pathlib import Path

import psycopg
import pytest
from harness import backup, pgbench, processes, verify
from harness.contents import contents, differences
from harness.s3 import S3Server
from harness.server import PROJECT_ROOT, Server, primary
from test_moments import branch_at

SEED = int(os.environ.get("TARN_SEED", random.SystemRandom().randrange(1 << 31)))
MOMENTS = int(os.environ.get("TARN_MOMENTS", 20))
BUCKET = "s3://backups/some/prefix"
DRILL = re.compile(r"<!-- drill -->\n```sh\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def s3():
    with S3Server() as running:
        yield running


class Past:
    """A server that is lost at the end: backups of it in two places, and what its branches held at random moments."""

    def __init__(self, server, s3, directory):
        print(f"TARN_SEED={SEED}")
        self.server, self.random, self.directory = server, random.Random(SEED), directory
        server.create_project("app")
        server.create_project("other")
        server.query(primary("other"), "CREATE TABLE t AS SELECT 42 AS n")
        self.parameters = server.connection(primary("app"))
        pgbench.initialise(self.parameters, 5)
        self.places = {"directory": (str(directory), os.environ), "s3": (BUCKET, s3.environment())}
        self.folders = {"directory": directory, "s3": s3.bucket}
        self.moments, self.expected = [], {}
        self.live()
        for name, (place, environment) in self.places.items():
            self.resumed = backup.take(server, place, environment=environment)
        self.choose()
        processes.end_all(server.root)  # the server too: the machine is gone
        server.process.wait()

    def live(self):
        load = pgbench.start(self.parameters, "-c", 3, "-T", 600)
        try:
            with psycopg.connect(**self.parameters, autocommit=True) as conn:
                for round in range(6):
                    conn.execute(f"CREATE TABLE of_round_{round} AS SELECT n, md5(n::text) FROM generate_series(1, 2000) n")
                    for _ in range(10):
                        (lsn,), = conn.execute("SELECT pg_current_wal_flush_lsn()::text").fetchall()
                        self.moments.append({"lsn": lsn} if self.random.random() < 0.5 else {"time": datetime.now(timezone.utc)})
                        time.sleep(self.random.random() / 10)  # moments apart, not a wait for anything
                    if round in (1, 3):
                        with self.server.superuser(primary("app")) as admin:
                            admin.execute("CHECKPOINT")
                    if round < 2:
                        for name in self.places:
                            self.kill_midway(name)
                    else:
                        for place, environment in self.places.values():
                            backup.take(self.server, place, environment=environment)
            assert load.poll() is None, "pgbench ended: the backups were of an idle server"
        finally:
            load.kill()
            load.wait()

    def kill_midway(self, name):
        place, environment = self.places[name]
        before = len(self.objects(name))
        process = subprocess.Popen([str(self.server.program()), "backup", "--data-dir", str(self.server.data), "--to", place],
                                   env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
        processes.wait_until(lambda: len(self.objects(name)) > before + 2 or process.poll() is not None, "some objects", 60)
        process.kill()
        assert process.wait() == -signal.SIGKILL, f"the backup was too quick to be killed: {process.stderr.read()}"
        assert not list(self.folders[name].rglob("backups/*Z-*")), "a backup that did not end cannot be seen"

    def objects(self, name):
        return [p for p in self.folders[name].rglob("objects/??/*") if p.is_file() and not p.name.startswith(".")]

    def forget(self, name, backup_id):
        found, = self.folders[name].rglob(backup_id)
        found.unlink()

    def choose(self):
        self.moments = self.random.sample(self.moments, MOMENTS)
        for number, moment in enumerate(self.moments):
            self.expected[number] = self.contents_at(self.server, f"was-{number}", moment)

    @staticmethod
    def contents_at(server, name, moment):
        branch_at(server, "app", name, **moment)
        server.query(primary("app", name), "SELECT 1")
        return contents(lambda database: server.superuser(primary("app", name), dbname=database))


@pytest.fixture(scope="module")
def past(s3, tmp_path_factory):
    server = Server()
    try:
        yield Past(server.start(), s3, tmp_path_factory.mktemp("place") / "backups")
    finally:
        server.destroy()


@pytest.mark.parametrize("name", ["directory", "s3"])
def test_another_machine_has_every_moment(past, name):
    place, environment = past.places[name]
    listed = backup.run(None, "list", "--from", place, environment=environment).stdout.splitlines()
    assert len(listed) == 5, listed
    checked = backup.run(None, "verify", "--from", place, environment=environment)
    assert checked.returncode == 0 and "whole" in checked.stdout, checked.stdout + checked.stderr
    with backup.RestoredServer(past.server, place, environment=environment) as other:
        verify.assert_whole(other)
        # It is a source of its own, and what is there already serves it too.
        said = backup.take(other, place, environment=environment)
        assert int(re.search(r"(\d+) objects sent", said)[1]) < len(past.objects(name)) / 2, said
        unclear = backup.run(None, "restore", "--from", place, "--data-dir", other.root / "again", environment=environment)
        assert unclear.returncode == 2 and "say which with --backup" in unclear.stderr, unclear.stderr
        past.forget(name, re.match(r"backup (\S+):", said)[1])
        for number, moment in enumerate(past.moments):
            found = past.contents_at(other, f"is-{number}", moment)
            assert not (wrong := differences(past.expected[number], found)), f"{moment}: {wrong}"
        with other.connect(primary("app")) as conn:
            pgbench.assert_balanced(conn)
        assert other.query(primary("other"), "SELECT n FROM t") == [(42,)]
        other.query(primary("other"), "CREATE TABLE more AS SELECT 43 AS n")
        verify.assert_whole(other)


@pytest.mark.parametrize("name", ["directory", "s3"])
def test_one_damaged_object_is_named_and_the_rest_restored(past, name, tmp_path):
    """Of pages of `app`."""
    server, (place, environment) = past.server, past.places[name]
    whole = tmp_path / "whole"
    backup.restore(place, whole, environment=environment)
    largest = max(whole.glob("store/lineages/*/*/*.pages"), key=lambda path: path.stat().st_blocks)
    lost = None
    for path in sorted(past.objects(name), key=lambda path: -path.stat().st_size):
        content = path.read_bytes()
        path.write_bytes(content[:5000] + bytes([content[5000] ^ 1]) + content[5001:])
        said = backup.run(None, "verify", "--from", place, environment=environment)
        if said.returncode == 7 and str(largest.relative_to(whole)) in said.stdout:
            lost = path
            break
        path.write_bytes(content)
    assert lost, "no object is of the log"
    with backup.RestoredServer(server, place, status=7, environment=environment) as other:
        line = next(line for line in other.said.splitlines() if line.startswith("lost: "))
        assert lost.name in line and str(largest.relative_to(whole)) in line, other.said
        assert "tarn verify" in other.said
        found = verify.findings(other)
        hurt = {each["lineage"] for each in found["lineages"] if each["damage_count"]}
        assert largest.parts[-3] in hurt
        assert other.query(primary("other"), "SELECT n FROM t") == [(42,)]
    lost.write_bytes(content)
    assert backup.run(None, "verify", "--from", place, environment=environment).returncode == 0


class Drill(Server):
    """What docs/operate/backup.md tells a person to type."""

    def __init__(self, origin, place):
        super().__init__(environment={"PLACE": str(place)})
        self.block = origin.block
        self.environment.update(NEW=str(self.data), TARN_HTTP=f"127.0.0.1:{self.port}", TARN_ADDRESS_BLOCK=self.block,
                                TARN_DEVELOPMENT="true", TARN_WRITE_PROFILE=str(self.profile),
                                PATH=f"{self.program().parent}:{os.environ['PATH']}")

    def command(self):
        page = (PROJECT_ROOT / "docs/operate/backup.md").read_text()
        drill, = DRILL.findall(page)
        return ["bash", "-euxc", drill + "\nwait"]


def test_the_drill_of_the_docs(past):
    with Drill(past.server, past.directory) as other:
        assert other.query(primary("other"), "SELECT n FROM t") == [(42,)]
        with other.connect(primary("app")) as conn:
            pgbench.assert_balanced(conn)


def test_encrypted_on_request(s3, tmp_path):
    key, wrong = tmp_path / "key", tmp_path / "wrong"
    key.write_text("0123456789abcdef" * 4 + "\n")
    wrong.write_text("f" * 64 + "\n")
    place = "s3://backups/secret"
    with Server() as server:
        server.create_project("app")
        server.query(primary("app"), "CREATE TABLE t AS SELECT 'the quick brown fox' AS body")
        backup.take(server, place, "--key-file", key, environment=s3.environment())
        again = backup.take(server, place, "--key-file", key, environment=s3.environment())
        assert int(re.search(r"(\d+) objects sent", again)[1]) <= 3, again
        processes.end_all(server.root)
        server.process.wait()
        for arguments, hint in (((), "name the key with --key-file"), (("--key-file", wrong), "the key that it was written with"),
                                (("--key-file", wrong), f"chmod 600 {wrong}")):
            done = backup.run(None, "restore", "--from", place, "--data-dir", tmp_path / "no", *arguments, environment=s3.environment())
            assert done.returncode == 2 and hint in done.stderr, done.stderr
        assert not (tmp_path / "no").exists()
        with backup.RestoredServer(server, place, "--key-file", key, environment=s3.environment()) as other:
            assert other.query(primary("app"), "SELECT body FROM t") == [("the quick brown fox",)]
    for path in (s3.bucket / "secret").rglob("*"):
        assert not path.is_file() or b"PRIVATE KEY" not in path.read_bytes()


def test_bad_input_is_refused_and_says_what_to_do(s3, tmp_path):
    good = s3.environment()
    nobody = {k: v for k, v in good.items() if not k.startswith("AWS_")}
    for arguments, environment, status, part in (
            (("list",), good, 2, "name a directory or s3://"),
            (("list", "--from", "ftp://host"), good, 2, "name a directory, or s3://"),
            (("list", "--from", "s3://x"), good, 2, "is no name of a bucket"),
            (("list", "--from", "s3://nowhere/at/all"), good, 4, "hint: make the bucket first"),
            (("list", "--from", BUCKET), nobody, 2, "hint: set AWS_ACCESS_KEY_ID"),
            (("list", "--from", BUCKET), s3.environment("wrong"), 3, "AWS_SECRET_ACCESS_KEY"),
            (("restore", "--from", tmp_path, "--data-dir", tmp_path / "new"), good, 4, "there is no backup in"),
            (("restore", "--from", tmp_path, "--data-dir", tmp_path / "new", "--backup", "x"), good, 4, "no backup 'x'"),
            (("--to", tmp_path / "to", "--data-dir", tmp_path / "no"), good, 4, "hint: name the server's data directory"),
            (("--to", tmp_path / "to", "--data-dir", "/dev/null/no"), good, 6, "hint: a part of that path is a file"),
            (("list", "--from", tmp_path), good, 4, f"there is no backup in {tmp_path}"),
            (("list", "--from", tmp_path, "--json"), good, 4, "hint: make one with: tarn backup --to"),
            (("list", "--from", BUCKET, "--endpoint-url", "127.0.0.1"), good, 2, "hint: write https://"),
            (("list", "--from", BUCKET, "--endpoint-url", "http://127.0.0.1:1"), good, 8, "hint: is the endpoint right"),
            (("list", "--from", tmp_path, "--key-file", tmp_path / "none/key"), good, 4, "umask 077 && openssl rand")):
        done = backup.run(None, *arguments, environment=environment)
        assert done.returncode == status and part in done.stderr, (arguments, done.returncode, done.stderr)
    assert list(tmp_path.iterdir()) == []


def test_every_so_often(tmp_path):
    with Server() as server:
        server.create_project("app")
        place = tmp_path / "backups"
        process = subprocess.Popen([str(server.program()), "backup", "--data-dir", str(server.data), "--to", str(place),
                                    "--every", "1"], stdout=subprocess.PIPE, text=True)
        try:
            ids = [re.match(r"backup (\S+):", process.stdout.readline())[1] for _ in range(4)]
            assert ids == sorted(set(ids))
            done = backup.run(server, "--data-dir", server.data, "--to", place)
            assert done.returncode in (0, 8), done.stderr
        finally:
            process.terminate()
            process.wait()
        assert process.returncode in (0, -signal.SIGTERM)
        listed = [line.split()[0] for line in backup.run(None, "list", "--from", place).stdout.splitlines()]
        hours = {each[:11] for each in ids}
        assert set(ids) & set(listed) <= {max(each for each in ids if each[:11] == hour) for hour in hours}, \
            "of those that --every has made the last of each hour stays"
        assert listed and listed[-1] >= ids[-1]

        prune = ("prune", "--from", place, "--keep-days", "0", "--wait", "0")
        for dead in (place / "running").glob("backup-*"):  # the one that was terminated
            done = backup.run(None, *prune)
            assert done.returncode == 8 and dead.name in done.stderr, done.stderr
            dead.unlink()
        server.query(primary("app"), "CREATE TABLE t AS SELECT generate_series(1, 1000)")
        backup.take(server, place)
        objects = len(list(place.glob("objects/??/*")))
        done = backup.run(None, *prune)
        assert done.returncode == 0 and "; left: 1" in done.stdout, done.stdout + done.stderr
        assert len(list(place.glob("objects/??/*"))) < objects
        assert backup.run(None, "verify", "--from", place).returncode == 0
