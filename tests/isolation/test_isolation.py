"""Branches of branches, five deep, each changed at random: each equals its own model, always.

The seed is printed; TARN_SEED=N runs the same again.
"""

import os
import random

import psycopg
import pytest
from harness import processes
from harness.model import Change, Model, actual, difference
from harness.server import MAJORS, Server, primary

SEED = int(os.environ.get("TARN_SEED", random.SystemRandom().randrange(1 << 31)))
BRANCHES, DEPTH = 20, 5


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


class Tree:
    """A project's branches and the model of each; production is the root, at depth 0."""

    def __init__(self, server, major):
        self.server, self.project = server, f"tree{major}"
        self.random = random.Random(f"{SEED}-{major}")
        server.create_project(self.project, major)
        self.models, self.depths, self.parameters = {}, {}, {}
        self.add("production", Model(), 0)
        self.done = {}

    def add(self, branch, model, depth):
        self.models[branch], self.depths[branch] = model, depth
        self.parameters[branch] = self.server.connection(primary(self.project, branch))

    def connector(self, branch):
        return lambda database: psycopg.connect(**{**self.parameters[branch], "dbname": database}, autocommit=True)

    def change(self, branch, times):
        for _ in range(times):
            what = Change(self.random, self.models[branch]).run(self.connector(branch))
            self.done[what] = self.done.get(what, 0) + 1

    def grow(self):
        """A new branch: mostly below the deepest, until one is DEPTH deep; then anywhere above that."""
        deepest = max(self.depths.values())
        below = [b for b, d in self.depths.items() if d < DEPTH]
        parent = next(b for b, d in self.depths.items() if d == deepest) if deepest < DEPTH and self.random.random() < 0.5 \
            else self.random.choice(sorted(below))
        name = f"b{len(self.models)}"
        self.server.create_branch(f"projects/{self.project}/branches/{parent}", name)
        self.add(name, self.models[parent].branch(), self.depths[parent] + 1)

    def check(self, when):
        for branch, model in self.models.items():
            text = difference(model, actual(self.connector(branch)))
            assert not text, f"seed {SEED}, {when}, branch {branch} (depth {self.depths[branch]}): {text}"

    def postmasters(self):
        return [p for p in self.server.processes() if p.is_postmaster]


@pytest.mark.parametrize("major", MAJORS)
def test_every_branch_equals_its_own_model(server, major, capsys):
    with capsys.disabled():
        print(f"\nPostgreSQL {major}, seed {SEED} (again: TARN_SEED={SEED} script/test isolation)", flush=True)
    tree = Tree(server, major)
    tree.change("production", 20)
    while len(tree.models) < BRANCHES + 1 or max(tree.depths.values()) < DEPTH:
        tree.grow()
        for branch in tree.random.sample(sorted(tree.models), min(3, len(tree.models))):
            tree.change(branch, 4)
    assert len(tree.models) > BRANCHES and max(tree.depths.values()) == DEPTH
    for branch in sorted(tree.models):
        tree.change(branch, 4)
    tree.check("while all run")

    for branch in tree.models:
        server.suspend_after(primary(tree.project, branch), 1)
    for branch in tree.models:
        server.wait_for_state(primary(tree.project, branch), "IDLE", 120)
    tree.check("after a clean sleep")

    for branch in tree.models:
        server.suspend_after(primary(tree.project, branch), 3600)
        tree.change(branch, 3)
    for process in server.processes():
        if process.is_postmaster or process.command.startswith("postgres:"):
            process.kill()
    tree.check("after every compute was killed")

    for branch in sorted(tree.models):
        tree.change(branch, 3)
    server.kill()
    processes.kill_all(server.root)
    server.start()
    tree.check("after the server and every compute were killed")

    assert {"truncate", "drop_table", "recreate_table", "vacuum_full", "create_database", "drop_database"} <= set(tree.done), tree.done
    assert sum(model.rows() for model in tree.models.values()) > 10_000
    server.api.delete_project(name=f"projects/{tree.project}").wait()
