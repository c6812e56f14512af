"""`tarn inspect`: every format of a real store, beside the server and after its death, whole and damaged.

Damage comes from a seed, which is printed; TARN_SEED=N does the same again.
"""

import os
import random
import re
import shutil
import struct
import subprocess
from concurrent.futures import ThreadPoolExecutor

import pytest
from harness import backup, inspection, processes
from harness.inspection import DAMAGED, look
from harness.server import PROJECT_ROOT, Server, primary

SEED = int(os.environ.get("TARN_SEED", random.SystemRandom().randrange(1 << 31)))
ROUNDS = int(os.environ.get("TARN_ROUNDS", 6))  # of damage for each format
# Any flip of a bit in one of these is found.
CHECKED = {"index", "restore point", "lineage", "incarnation", "object", "metadata record", "compressed WAL segment"}
PAGES = sorted(page for page in (PROJECT_ROOT / "docs/formats").glob("*.md") if page.name != "README.md")


def formats():
    return {row["format"]: row["page"] for row in look("--formats")["formats"]}


class Store:
    """A server whose store has a file of every format."""

    def __init__(self, server, directory):
        self.server = server
        server.create_project("app")
        production = "projects/app/branches/production"
        server.query(primary("app"), "CREATE TABLE t AS SELECT 1 AS n, 'first' AS body")
        (self.relation,), = server.query(primary("app"), "SELECT pg_relation_filepath('t')")
        self.checkpoint()
        server.query(primary("app"), "UPDATE t SET body = 'second'")
        server.query(primary("app"), "CREATE TABLE history AS SELECT n, repeat('x', 1000) AS body FROM generate_series(1, 4000) n")
        self.checkpoint()
        server.query(primary("app"), "UPDATE history SET body = repeat('y', 1000)")  # enough to be packed
        self.checkpoint()
        (lsn,), = server.query(primary("app"), "SELECT pg_current_wal_flush_lsn()::text")
        do = server.client.api_client.do
        operation = do("POST", f"/api/2.0/postgres/{production}:restore", body={"source_branch_lsn": lsn, "preserve": True})
        processes.wait_until(lambda: do("GET", f"/api/2.0/postgres/{operation['name']}")["done"], "the restore")
        server.query(primary("app"), "INSERT INTO t VALUES (2, 'third')")
        with server.superuser(primary("app")) as admin:
            admin.execute("SELECT pg_switch_wal()")
        self.checkpoint()  # nothing replays what lies before it: it is compressed
        store = server.data / "store"
        processes.wait_until(lambda: list(store.rglob("*.packed")), "history packed")
        processes.wait_until(lambda: list(store.rglob("wal_archive/*.zst")) and not list(store.rglob("wal_archive/" + "?" * 24)),
                             "archived WAL compressed, and the plain segments gone")
        backup.take(server, str(directory / "backup"))
        self.extra = [p for p in (directory / "backup").rglob("*") if p.is_file()]
        self.extra.append(self.control(directory))
        self.extra.append(directory / "wal_durable")  # only a store that came out of a backup has one
        self.extra[-1].write_text(f"tarn wal_durable 1\n{lsn}\n")

    def checkpoint(self):
        before = len(self.restore_points())
        with self.server.superuser(primary("app")) as admin:
            admin.execute("CHECKPOINT")
        processes.wait_until(lambda: len(self.restore_points()) > before, "the restore point of a checkpoint")

    def restore_points(self):
        return sorted((self.server.data / "store").rglob("*.restore"))

    def control(self, directory):
        """The control file that a restore point holds, as a file of its own."""
        content = self.restore_points()[0].read_bytes()
        at = content.index(struct.pack("<IIQ", 7, 0, 8192) + b"control") + 16 + 7
        path = directory / "pg_control"
        path.write_bytes(content[at:at + 8192])
        return path

    def files(self):
        """Every file of the store and of the records that has a format, and the others of the fixture."""
        skipped = {"lock", "history.lock", "packing.lock"}
        below = [p for top in ("store", "records") for p in (self.server.data / top).rglob("*")]
        return [p for p in below + self.extra if p.is_file() and p.name not in skipped and not p.name.startswith("dropped-")]

    def by_format(self, limit=3):
        """format -> a few of its files."""
        found = {}
        with ThreadPoolExecutor(4) as pool:
            files = [p for p in self.files()]
            for path, document in zip(files, pool.map(lambda p: look("--limit", 2, p), files)):
                assert "damage" not in document, document
                found.setdefault(document["format"], []).append(path)
        return {name: sorted(paths)[:limit] for name, paths in found.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    with Server() as server:
        yield Store(server, tmp_path_factory.mktemp("inspect"))


def test_every_page_of_a_format_names_its_view():
    known = formats()
    for page in PAGES:
        views = re.findall(r"^View: (.*tarn inspect.*)$", page.read_text(), re.M)
        assert len(views) == 1, f"{page.name} names no view: a line `View: ...`"
        for name in [name for name, of in known.items() if of == page.name]:
            assert name in views[0], f"{page.name} does not name the view of {name}"
    assert set(known.values()) <= {page.name for page in PAGES}


def test_a_branch_is_a_tree(store):
    text = inspection.run("projects/app/branches/production", data=store.server.data)
    assert text.returncode == 0, text.stderr
    for part in ("incarnations:", "consistent_lsn", "set_aside: ", "replay_s", "compute_runs: yes", "wal:"):
        assert part in text.stdout, text.stdout
    whole = look(data=store.server.data)
    production, = [row for row in whole["lineages"] if row["is"] == "projects/app/branches/production"]
    assert "GiB" in production["bytes"] and "MiB" in production["on_disk"], "the page map is sparse"
    lineage = production["lineage"]
    past, = [row["lineage"] for row in whole["lineages"] if re.match("projects/app/branches/(?!production$)", row["is"])]
    assert "kept_from" in look(past, data=store.server.data)
    tree = look(lineage, data=store.server.data)
    assert tree["incarnations"][-1]["map"] == "live"
    archived = sum(row["files"] for incarnation in tree["incarnations"] for row in incarnation["wal"] if row["in"] == "wal_archive")
    assert archived == len(list((store.server.data / f"store/lineages/{lineage}").glob("*/wal_archive/*.zst"))) > 0
    for incarnation in tree["incarnations"]:
        for point in incarnation["restore_points"]:
            file = store.server.data / f"store/lineages/{lineage}/{incarnation['incarnation']:08}/{point['number']:08}.restore"
            own = look(file)
            assert own["attachments"]["consistent_lsn"] == point["consistent_lsn"]
            assert own["attachments"]["control"]["redo"] == point["redo"]


def test_a_block_and_its_versions(store):
    past, = [row["lineage"] for row in look(data=store.server.data)["lineages"]
             if re.match("projects/app/branches/(?!production$)", row["is"])]
    found = look(past, "--relation", store.relation, "--block", 0, data=store.server.data)
    versions = [row for row in found["versions"] if "slot" in row["lies_in"]]
    assert len(versions) >= 2 and all(row["bytes"] == "good" for row in versions), found
    pages = []
    for row in versions:
        if "packed_into" in row:
            assert row["file"].endswith(".packed") and 0 < row["packed_into"] < 8192
            continue
        with open(row["file"], "rb") as file:
            file.seek(row["byte"])
            pages.append(file.read(8192))
    assert any(b"second" in page for page in pages)
    assert any(b"second" not in page for page in pages) or len(pages) < len(versions), "the first one, packed or not"


def test_every_format_live_and_dead_and_damaged(store, tmp_path):
    live = store.by_format()
    assert set(live) == set(formats()), "the store has a file of every format, and each has a view"
    store.server.kill()
    processes.kill_all(store.server.root)
    dead = store.by_format()
    assert set(dead) == set(live)
    damage_each(dead, tmp_path)


def damage_each(files, directory):
    print(f"TARN_SEED={SEED}")
    dice = random.Random(SEED)
    jobs = []
    for name, paths in files.items():
        for round in range(ROUNDS):
            jobs.append((name, damaged_copy(dice, dice.choice(paths), directory / f"{len(jobs)}")))
    with ThreadPoolExecutor(3) as pool:
        for (name, (path, how)), done in zip(jobs, pool.map(lambda job: inspection.run("--limit", 5, job[1][0], seconds=20), jobs)):
            told = f"{name} {path.name}, {how}: {done.returncode}\n{done.stdout[-500:]}{done.stderr[-500:]}"
            assert 0 <= done.returncode < 16, told  # and no signal
            assert done.returncode != 0 or name not in CHECKED, told
            assert "\x1b" not in done.stdout, told


def damaged_copy(dice, path, directory):
    """A copy with a few bits flipped, or cut, in directories of the same names; and what was done."""
    parts = path.parts
    tail = parts[parts.index("lineages"):] if "lineages" in parts else parts[-2:]
    copy = directory.joinpath(*tail)
    copy.parent.mkdir(parents=True)
    subprocess.run(["cp", "--sparse=always", path, copy], check=True)
    if path.suffix == ".pages":
        shutil.copy(path.with_suffix(".slots"), copy.with_suffix(".slots"))
    size = min(copy.stat().st_size, 8 << 20)  # a map is 16 GiB of nothing
    if dice.random() < 0.25:
        length = dice.randrange(size)
        os.truncate(copy, length)
        return copy, f"cut to {length}"
    places = [dice.randrange(min(size, dice.choice([64, 512, size]))) for _ in range(dice.choice([1, 1, 2, 8]))]
    bits = {}
    with copy.open("r+b") as file:
        for place in places:
            bits[place] = bits.get(place, 0) ^ 1 << dice.randrange(8)
        for place, bit in bits.items():
            file.seek(place)
            byte = file.read(1)[0]
            file.seek(place)
            file.write(bytes([byte ^ bit]))
    unchanged = not any(bits.values())
    if unchanged:
        os.truncate(copy, 0)
    return copy, f"flipped {bits}"


@pytest.mark.parametrize("arguments,part", [
    (("--block", 7), "--block 7 of which relation?"),
    (("projects/app/branches/production", "--block", 7), "hint: name it with --relation"),
    (("--relation", "base/5/16384", "--block", 7), "--relation base/5/16384 of which branch?"),
    (("projects/app/branches/production", "--relation", "base/5/16384"), "needs a --block"),
    (("projects/app/branches/production", "--from", 7), "hint: name a .slots or .pages file"),
    (("projects/app/branches/none",), "is no file, no lineage and no branch")])
def test_what_would_be_read_past_is_refused(store, arguments, part):
    done = inspection.run(*arguments, data=store.server.data)
    assert done.returncode in (2, 4) and part in done.stderr and not done.stdout, done


def test_what_is_nothing_is_refused(tmp_path):
    odd = tmp_path / "odd"
    odd.write_bytes(b"nothing that is known")
    assert "no file of a format" in inspection.run(odd).stderr
    assert inspection.run(tmp_path / "odd", "--relation", "x").returncode == 2
    assert DAMAGED not in (inspection.run(odd).returncode, inspection.run("--formats").returncode)
