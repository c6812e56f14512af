"""A thousand branches of one parent, and a branch of a branch sixty-four deep: all there, each with its own data."""

import random
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from databricks.sdk.errors import AlreadyExists, BadRequest, NotFound
from databricks.sdk.service.postgres import Branch, BranchSpec
from harness.server import Server, primary

MANY, LEVELS, STARTED = 1000, 64, 5


@pytest.fixture(scope="module")
def own():
    with Server(large_block=True) as running:
        yield running


@pytest.fixture(scope="module")
def crowded(own):
    """A project whose production has a thousand branches, asked for by several clients at once."""
    own.create_project("crowded")
    own.query(primary("crowded"), "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    names = [f"b{number:04}" for number in range(MANY)]
    with ThreadPoolExecutor(8) as clients:
        made = list(clients.map(lambda name: own.create_branch("projects/crowded/branches/production", name), names))
    return {branch.name.rsplit("/", 1)[1]: branch for branch in made}


def listed(own, size, between=lambda: None):
    """Ids of all branches, in pages of `size`; `between` is done after each."""
    found, token = [], ""
    while True:
        answer = own.client.api_client.do("GET", "/api/2.0/postgres/projects/crowded/branches",
                                          query={"page_size": size, "page_token": token})
        assert len(answer["branches"]) <= size
        found += [branch["name"].rsplit("/", 1)[1] for branch in answer["branches"]]
        token = answer.get("next_page_token", "")
        if not token:
            return found
        between()


def test_all_are_listed_once_and_in_order(own, crowded):
    everyone = sorted([*crowded, "production"])
    for size in (1000, 100, 7):
        assert listed(own, size) == everyone
    assert len({branch.uid for branch in crowded.values()}) == MANY
    for name in random.sample(sorted(crowded), 50):
        branch = own.api.get_branch(name=f"projects/crowded/branches/{name}")
        assert branch.uid == crowded[name].uid
        assert branch.status.source_branch == "projects/crowded/branches/production"


def test_a_listing_is_right_about_the_rest_while_branches_come_and_go(own, crowded):
    everyone = sorted([*crowded, "production"])
    extra = (f"b{number:04}x" for number in range(0, MANY, 3))
    passing = []

    def come_and_go():
        for name in passing[-1:]:
            own.api.delete_branch(name=f"projects/crowded/branches/{name}", purge=True).wait()
        passing.append(next(extra))
        own.create_branch("projects/crowded/branches/production", passing[-1])

    found = listed(own, 100, come_and_go)
    own.api.delete_branch(name=f"projects/crowded/branches/{passing[-1]}", purge=True).wait()
    assert [name for name in found if name not in passing] == everyone
    assert listed(own, 500) == everyone


def test_each_has_an_address_and_rows_of_its_own(own, crowded):
    with ThreadPoolExecutor(8) as clients:
        hosts = list(clients.map(
            lambda name: own.api.get_endpoint(name=primary("crowded", name)).status.hosts.host, crowded))
    assert len(set(hosts)) == MANY
    chosen = random.sample(sorted(crowded), STARTED)
    for number, name in enumerate(chosen):
        own.query(primary("crowded", name), "DELETE FROM t WHERE n <= %s", (number + 1,))
    own.query(primary("crowded"), "TRUNCATE t")
    for number, name in enumerate(chosen):
        assert own.query(primary("crowded", name), "SELECT count(*) FROM t") == [(999 - number,)]
    untouched = next(name for name in crowded if name not in chosen)
    assert own.query(primary("crowded", untouched), "SELECT count(*) FROM t") == [(1000,)]


def test_the_same_name_at_once_is_one_branch(own, crowded):
    answers, start = [], threading.Barrier(6)

    def ask():
        start.wait()
        try:
            answers.append(own.create_branch("projects/crowded/branches/production", "twice").uid)
        except AlreadyExists:
            answers.append(None)

    clients = [threading.Thread(target=ask) for _ in range(6)]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    assert len([uid for uid in answers if uid]) == 1
    own.api.delete_branch(name="projects/crowded/branches/twice", purge=True).wait()


def test_a_parent_stays_while_it_has_children(own, crowded):
    own.create_branch("projects/crowded/branches/b0000", "grandchild")
    for name in ("b0000", "production"):
        with pytest.raises(BadRequest, match="(?i)cannot delete"):
            own.api.delete_branch(name=f"projects/crowded/branches/{name}")
    own.api.delete_branch(name="projects/crowded/branches/grandchild", purge=True).wait()
    own.api.delete_branch(name="projects/crowded/branches/b0000", purge=True).wait()
    with pytest.raises(NotFound):
        own.api.get_branch(name="projects/crowded/branches/b0000")
    assert own.query(primary("crowded", "b0001"), "SELECT count(*) > 0 FROM t") == [(True,)]


def test_a_line_of_branches_keeps_what_each_of_them_wrote(own):
    own.create_project("line")
    own.query(primary("line"), "CREATE TABLE level (n int, filler text)")
    branch = "production"
    for level in range(1, LEVELS + 1):
        own.create_branch(f"projects/line/branches/{branch}", f"level{level}")
        branch = f"level{level}"
        own.query(primary("line", branch), "INSERT INTO level SELECT %s, repeat('x', 500) FROM generate_series(1, 20)",
                  (level,))
        own.update_endpoint(primary("line", branch), disabled=True)  # it sleeps
        own.update_endpoint(primary("line", branch), disabled=False)
    own.restart()
    for level in (LEVELS, 1, random.randrange(2, LEVELS)):
        found = own.query(primary("line", f"level{level}"), "SELECT n, count(*) FROM level GROUP BY n ORDER BY n")
        assert found == [(n, 20) for n in range(1, level + 1)]

    with pytest.raises(BadRequest, match="cannot delete branch that has children"):
        own.api.delete_branch(name="projects/line/branches/level32", purge=True)
    own.api.delete_branch(name=f"projects/line/branches/level{LEVELS}", purge=True).wait()
    own.api.delete_branch(name=f"projects/line/branches/level{LEVELS - 1}", purge=True).wait()
    assert own.query(primary("line", f"level{LEVELS - 2}"), "SELECT count(*) FROM level") == [(20 * (LEVELS - 2),)]

    # A moment before it was made lies in an ancestor far above.
    spec = BranchSpec(source_branch=f"projects/line/branches/level{LEVELS - 2}", no_expiry=True,
                      source_branch_time=own.api.get_branch(name="projects/line/branches/level3").status.source_branch_time)
    own.api.create_branch(parent="projects/line", branch_id="early", branch=Branch(spec=spec)).wait()
    assert own.query(primary("line", "early"), "SELECT DISTINCT n FROM level ORDER BY n") == [(1,), (2,)]
