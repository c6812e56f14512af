"""What differs between two branches, or two moments of one: `tarn diff`, and the method under it."""

import json
import os
import random
import subprocess
from datetime import datetime, timedelta, timezone

import pytest
from databricks.sdk.errors import BadRequest, InvalidParameterValue, NotFound
from harness import processes
from harness.server import MAJORS, TARN, Server, primary

SCHEMA = """
    CREATE SCHEMA shop;
    CREATE TYPE shop.mood AS ENUM ('good', 'bad');
    CREATE DOMAIN shop.amount AS numeric(10,2) CONSTRAINT positive CHECK (VALUE >= 0);
    CREATE SEQUENCE shop.numbers INCREMENT BY 5;
    CREATE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2 * n';
    CREATE TABLE shop.people (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, name text NOT NULL,
                              mood shop.mood DEFAULT 'good', "Odd Name" int, double int GENERATED ALWAYS AS (2) STORED, note text);
    CREATE TABLE shop.orders (id serial PRIMARY KEY, person bigint REFERENCES shop.people, total shop.amount, body text);
    CREATE INDEX orders_by_person ON shop.orders (person) WHERE total > 0;
    CREATE VIEW shop.totals AS SELECT person, sum(total) FROM shop.orders GROUP BY person;
    CREATE MATERIALIZED VIEW shop.kept AS SELECT count(*) AS n FROM shop.people;
    CREATE FUNCTION shop.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER noted BEFORE INSERT ON shop.orders FOR EACH ROW EXECUTE FUNCTION shop.note();
    ALTER TABLE shop.people ENABLE ROW LEVEL SECURITY;
    CREATE POLICY mine ON shop.people FOR SELECT USING (name = current_user);
    CREATE TABLE shop.events (day date NOT NULL, what text) PARTITION BY RANGE (day);
    CREATE TABLE shop.events_2026 PARTITION OF shop.events FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
    GRANT SELECT ON shop.orders TO PUBLIC;
"""
CHANGES = """
    ALTER TABLE shop.people ADD COLUMN email text DEFAULT 'none' NOT NULL;
    ALTER TABLE shop.people ALTER COLUMN note TYPE varchar(100);
    ALTER TABLE shop.people DROP COLUMN "Odd Name", ALTER COLUMN mood DROP DEFAULT;
    ALTER TYPE shop.mood ADD VALUE 'so-so';
    CREATE OR REPLACE FUNCTION shop.twice(n int) RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT n + n';
    DROP INDEX shop.orders_by_person;
    CREATE UNIQUE INDEX people_by_email ON shop.people (email, id);
    ALTER TABLE shop.orders ADD CONSTRAINT bodied CHECK (body <> ''), DROP CONSTRAINT orders_person_fkey;
    CREATE OR REPLACE VIEW shop.totals AS SELECT person, sum(total), count(*) AS orders FROM shop.orders GROUP BY person;
    DROP MATERIALIZED VIEW shop.kept;
    ALTER SEQUENCE shop.numbers INCREMENT BY 7;
    CREATE TABLE shop.events_2027 PARTITION OF shop.events FOR VALUES FROM ('2027-01-01') TO ('2028-01-01');
    ALTER POLICY mine ON shop.people USING (true);
    REVOKE SELECT ON shop.orders FROM PUBLIC;
    GRANT INSERT, UPDATE ON shop.orders TO PUBLIC;
    DROP TRIGGER noted ON shop.orders;
    CREATE TABLE shop.news (id int PRIMARY KEY, at timestamptz DEFAULT now(), tags text[] COLLATE "C");
    CREATE SCHEMA more;
"""


@pytest.fixture(scope="module")
def own():
    with Server() as running:
        yield running


def diff(server, branch, **body):
    return server.client.api_client.do("POST", f"/api/2.0/postgres/{branch}:diff", body=body)


def relations(answer, database="databricks_postgres"):
    found = [each for each in answer["databases"] if each["database"] == database]
    return {each["name"]: each for each in found[0]["relations"]} if found else {}


def counts(answer, name):
    """(inserted, deleted, updated) of a relation; updated is None where rows have no key."""
    found = relations(answer).get(name)
    return found and (found["rows_inserted"], found["rows_deleted"], found.get("rows_updated"))


def statements(answer):
    return [change["ddl"] for each in answer["databases"] for change in each["schema"]]


def is_empty(answer):
    return not answer["schema"] and not statements(answer) and \
        not any(row for each in answer["databases"] for relation in each["relations"]
                for key, row in relation.items() if key.startswith("rows_"))


def nothing_left(server):
    """No compute, lineage or branch of a diff stays."""
    def gone():
        listed = {b.uid for p in server.api.list_projects() for b in server.api.list_branches(parent=p.name)}
        lineages = len(list((server.data / "store/lineages").iterdir()))
        return lineages == len(listed) + len(list((server.data / "templates").iterdir()))

    processes.wait_until(gone, "what the diffs made is gone", 30)


@pytest.mark.parametrize("major", MAJORS)
def test_schema_and_rows_of_two_branches(own, major):
    project = f"both{major}"
    own.create_project(project, major)
    main = f"projects/{project}/branches/production"
    own.query(primary(project), SCHEMA + """
        INSERT INTO shop.people (name) SELECT 'person ' || n FROM generate_series(1, 5000) n;
        INSERT INTO shop.orders (person, total, body) SELECT n, n, repeat('b', 100) FROM generate_series(1, 5000) n;
        CREATE TABLE plain AS SELECT n % 100 AS n FROM generate_series(1, 3000) n;
        CREATE TABLE still AS SELECT generate_series(1, 3000) AS n;
    """)
    dev = own.create_branch(main, "dev").name
    assert is_empty(diff(own, main, to_branch=dev))

    own.query(f"{dev}/endpoints/primary", CHANGES)
    own.query(f"{dev}/endpoints/primary", """
        UPDATE shop.orders SET total = total + 1 WHERE id BETWEEN 11 AND 20;
        DELETE FROM shop.orders WHERE id = 4000;
        INSERT INTO shop.orders (person, total, body) VALUES (1, 1, 'x'), (2, 2, 'y');
        DELETE FROM plain WHERE n = 7;
    """)
    own.query(f"{main}/endpoints/primary", "DELETE FROM shop.orders WHERE id IN (1, 2, 3)")
    answer = diff(own, main, to_branch=dev)
    assert answer["from"]["branch"] == main and answer["to"]["branch"] == dev
    assert counts(answer, "shop.orders") == (2 + 3, 1, 10)
    assert counts(answer, "public.plain") == (0, 30, None)
    assert "public.still" not in relations(answer)
    assert relations(answer)["shop.news"]["change"] == "added"
    assert relations(answer)["shop.kept"]["change"] == "removed"
    assert 2 <= relations(answer)["shop.orders"]["changed_blocks"] <= 12
    text = "\n".join(statements(answer))
    for told in ("ALTER TABLE shop.people ADD COLUMN email text", 'ALTER TABLE shop.people DROP COLUMN "Odd Name"',
                 "ALTER COLUMN note TYPE character varying(100)", "ADD CONSTRAINT bodied CHECK", "CREATE SCHEMA more",
                 "DROP INDEX shop.orders_by_person", "CREATE OR REPLACE VIEW shop.totals"):
        assert told in text, text

    # The proof of the DDL: run on one side, it makes the schema of the other.
    with own.connect(f"{main}/endpoints/primary", autocommit=True) as conn:
        conn.execute("SET check_function_bodies = off")
        for statement in statements(answer):
            conn.execute(statement)
    again = diff(own, main, to_branch=dev)
    assert not statements(again), statements(again)
    back = diff(own, dev, to_branch=main)
    assert counts(back, "shop.orders") == (1, 2 + 3, 10)
    nothing_left(own)


def test_two_moments_of_one_branch(own):
    own.create_project("moments")
    main = "projects/moments/branches/production"
    own.query(primary("moments"), "CREATE TABLE t (id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'a' FROM generate_series(1, 20000) n")
    before = datetime.now(timezone.utc)
    own.query(primary("moments"), "UPDATE t SET v = 'b' WHERE id % 1000 = 0; DELETE FROM t WHERE id = 77")
    middle = datetime.now(timezone.utc)
    own.query(primary("moments"), "TRUNCATE t; INSERT INTO t VALUES (1, 'a'), (99999, 'new'); ALTER TABLE t ADD COLUMN w int")
    answer = diff(own, main, from_time=before.isoformat(), to_time=middle.isoformat())
    assert counts(answer, "public.t") == (0, 1, 20) and not statements(answer)
    assert relations(answer)["public.t"]["changed_blocks"] < 50
    answer = diff(own, main, from_time=before.isoformat())
    assert counts(answer, "public.t") == (1, 19999, 0)
    assert statements(answer) == ["ALTER TABLE public.t ADD COLUMN w integer"]
    assert is_empty(diff(own, main, from_time=middle.isoformat(), to_time=middle.isoformat()))
    nothing_left(own)


def test_a_transaction_that_was_open_at_the_branch_point_ends_otherwise_on_each_side(own):
    """Its rows lie in blocks that both sides share; only its fate differs."""
    own.create_project("open")
    main = "projects/open/branches/production"
    own.query(primary("open"), "CREATE TABLE t (id int PRIMARY KEY)")
    with own.connect(primary("open"), autocommit=False) as writer:
        writer.execute("INSERT INTO t SELECT generate_series(1, 5000)")
        with own.superuser(primary("open")) as admin:
            admin.execute("CHECKPOINT")
        dev = own.create_branch(main, "dev").name
        writer.commit()
    assert counts(diff(own, main, to_branch=dev), "public.t") == (0, 5000, 0)
    assert counts(diff(own, dev, to_branch=main), "public.t") == (5000, 0, 0)


def test_the_same_bytes_written_by_each_side_may_be_other_rows(own):
    own.create_project("twins")
    main = "projects/twins/branches/production"
    own.query(primary("twins"), "CREATE TABLE t (id int PRIMARY KEY)")
    one, other = (own.create_branch(main, name).name for name in ("one", "other"))
    for branch, end in ((one, "COMMIT"), (other, "ROLLBACK")):
        own.query(f"{branch}/endpoints/primary", f"BEGIN; INSERT INTO t SELECT generate_series(1, 5000); {end}")
    assert counts(diff(own, one, to_branch=other), "public.t") == (0, 5000, 0)


def test_counts_are_a_models_after_random_changes_on_both_sides(own):
    seed = int(os.environ.get("TARN_SEED", random.randrange(1 << 30)))
    dice = random.Random(seed)
    print(f"TARN_SEED={seed}")
    own.create_project("model")
    main = "projects/model/branches/production"
    own.query(primary("model"), "CREATE TABLE t (id int PRIMARY KEY, v int, filler text DEFAULT repeat('f', 50))")
    own.query(primary("model"), "INSERT INTO t SELECT n, 0 FROM generate_series(1, 5000) n")
    sides = [{n: 0 for n in range(1, 5001)}]
    branches = [main, own.create_branch(main, "dev").name]
    sides.append(dict(sides[0]))
    history = []  # (time, rows of main then)
    for _ in range(6):
        for branch, rows in zip(branches, sides):
            with own.connect(f"{branch}/endpoints/primary") as conn:
                for _ in range(dice.randrange(1, 30)):
                    what, key = dice.randrange(4), dice.randrange(1, 7000)
                    if what == 0:
                        conn.execute("DELETE FROM t WHERE id = %s", (key,))
                        rows.pop(key, None)
                    elif what == 1:
                        conn.execute("INSERT INTO t VALUES (%s, %s) ON CONFLICT (id) DO UPDATE SET v = excluded.v",
                                     (key, value := dice.randrange(3)))
                        rows[key] = value
                    elif what == 2:
                        conn.execute("UPDATE t SET v = v + 1 WHERE id BETWEEN %s AND %s", (key, key + 5))
                        for each in range(key, key + 6):
                            if each in rows:
                                rows[each] += 1
                    else:
                        with conn.transaction(force_rollback=True):
                            conn.execute("UPDATE t SET v = 99 WHERE id BETWEEN %s AND %s", (key, key + 50))
                if dice.randrange(3) == 0:
                    conn.execute("VACUUM t")
        history.append((datetime.now(timezone.utc), dict(sides[0])))
    history.append((datetime.now(timezone.utc), dict(sides[0])))

    def expected(one, other):
        return (len(other.keys() - one.keys()), len(one.keys() - other.keys()),
                sum(one[key] != other[key] for key in one.keys() & other.keys()))

    assert counts(diff(own, main, to_branch=branches[1]), "public.t") == expected(*sides), seed
    for _ in range(3):
        (first, was), (last, then) = sorted(dice.sample(history, 2), key=lambda moment: moment[0])
        found = counts(diff(own, main, from_time=first.isoformat(), to_time=last.isoformat()), "public.t")
        assert (found or (0, 0, 0)) == expected(was, then), seed


def test_errors_say_what_is_wrong(own):
    own.create_project("wrong")
    own.create_project("other")
    main = "projects/wrong/branches/production"
    with pytest.raises(NotFound, match="branch id not found"):
        diff(own, "projects/wrong/branches/none")
    with pytest.raises(NotFound, match="branch id not found"):
        diff(own, main, to_branch="projects/wrong/branches/none")
    with pytest.raises(InvalidParameterValue, match="of the same Project"):
        diff(own, main, to_branch="projects/other/branches/production")
    with pytest.raises(InvalidParameterValue, match="Unknown or empty field 'at'"):
        diff(own, main, at="2026-01-01T00:00:00Z")
    with pytest.raises(InvalidParameterValue, match="Only one of 'from_lsn' and 'from_time'"):
        diff(own, main, from_lsn="0/1", from_time="2026-01-01T00:00:00Z")
    with pytest.raises(BadRequest, match="before your project was created"):
        diff(own, main, from_time=(datetime.now(timezone.utc) - timedelta(days=1)).isoformat())
    with pytest.raises(BadRequest, match="in the future"):
        diff(own, main, to_time=(datetime.now(timezone.utc) + timedelta(days=1)).isoformat())
    nothing_left(own)


def test_a_server_that_dies_meanwhile_leaves_nothing_at_its_next_start(own):
    own.create_project("dies")
    main = "projects/dies/branches/production"
    own.query(primary("dies"), "CREATE TABLE t AS SELECT generate_series(1, 1000) AS n")
    before = set((own.data / "store/lineages").iterdir())
    # Not the SDK, which would try for minutes.
    asked = subprocess.Popen([TARN, "diff", main], env=own.client_environment(), stdout=subprocess.DEVNULL,
                             stderr=subprocess.DEVNULL)
    processes.wait_until(lambda: len(set((own.data / "store/lineages").iterdir()) - before) == 2, "both sides made")
    own.kill()
    assert asked.wait(timeout=30) == 8  # unavailable
    own.start()
    nothing_left(own)
    known = {e.uid for p in own.api.list_projects() for b in own.api.list_branches(parent=p.name)
             for e in own.api.list_endpoints(parent=b.name)}
    assert {path.name for path in (own.data / "endpoints").iterdir()} <= known
    assert is_empty(diff(own, main))


def test_the_command_prints_it(own):
    own.create_project("command")
    main = "projects/command/branches/production"
    start = datetime.now(timezone.utc)
    own.query(primary("command"), "CREATE TABLE t (id int PRIMARY KEY); INSERT INTO t VALUES (1), (2)")

    def tarn(*words):
        return subprocess.run([TARN, "diff", *words], env=own.client_environment(), capture_output=True, text=True)

    told = tarn(main, "--from-at", start.isoformat())
    assert told.returncode == 0, told.stderr
    assert "-- added table public.t\nCREATE TABLE public.t (" in told.stdout
    assert [line.split()[1:] for line in told.stdout.splitlines() if "public.t " in line and "added" in line] == \
        [["public.t", "added", "1", "0", "2", "0", "0"]]
    assert tarn(main).stdout.endswith("-- no difference\n")
    assert json.loads(tarn(main, main, "-o", "json").stdout)["databases"] == []
    refused = tarn("projects/command/branches/none")
    assert refused.returncode == 4 and "branch id not found" in refused.stderr
