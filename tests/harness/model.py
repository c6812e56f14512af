"""A branch's whole content as a plain Python value, and random statements that change both alike.

The content is databases -> tables -> rows by number. A branch of a branch is a deep copy of the value;
whatever differs afterwards between a database and its model is a defect of the store.
"""

import copy

MAIN = "databricks_postgres"


class Model:
    def __init__(self):
        self.databases = {MAIN: {}}

    def branch(self):
        return copy.deepcopy(self)

    def rows(self):
        return sum(len(rows) for tables in self.databases.values() for rows in tables.values())


class Change:
    """One random statement: `run` takes a function that connects to a database of the branch."""

    def __init__(self, random, model):
        self.random, self.model = random, model
        self.database = random.choice(sorted(model.databases))
        self.tables = model.databases[self.database]

    def run(self, connect):
        choices = [(self.create_table, 3 if len(self.tables) < 6 else 0), (self.create_database, 1 if len(self.model.databases) < 3 else 0),
                   (self.drop_database, 1 if self.database != MAIN else 0)]
        if self.tables:
            choices += [(self.insert, 8), (self.update, 8), (self.delete, 4), (self.truncate, 1), (self.drop_table, 2),
                        (self.recreate_table, 2), (self.vacuum_full, 2), (self.vacuum, 2), (self.index, 1), (self.rolled_back, 2)]
        action = self.random.choices([c for c, _ in choices], [w for _, w in choices])[0]
        action(connect)
        return action.__name__

    def execute(self, connect, statement, database=None):
        with connect(database or self.database) as conn:
            conn.execute(statement)

    def table(self):
        return self.random.choice(sorted(self.tables))

    def fill(self, connect, name, before=""):
        first, count = self.random.randint(1, 10**6), self.random.randint(0, 2000)
        text = self.random.choice("abcdef") * self.random.randint(1, 300)
        self.execute(connect, f"{before}INSERT INTO {name} SELECT n, '{text}' FROM generate_series({first}, {first + count - 1}) n "
                              "ON CONFLICT (n) DO NOTHING")
        return {n: text for n in range(first, first + count)}

    def create_table(self, connect):
        name = self.random.choice([f"t{n}" for n in range(10) if f"t{n}" not in self.tables])
        self.tables[name] = self.fill(connect, name, f"CREATE TABLE {name} (n int PRIMARY KEY, body text); ")

    def recreate_table(self, connect):
        name = self.table()
        self.tables[name] = self.fill(connect, name, f"DROP TABLE {name}; CREATE TABLE {name} (n int PRIMARY KEY, body text); ")

    def insert(self, connect):
        name = self.table()
        self.tables[name] = {**self.fill(connect, name), **self.tables[name]}

    def update(self, connect):
        name, step, text = self.table(), self.random.randint(1, 9), self.random.choice("uvwxyz") * self.random.randint(1, 400)
        self.execute(connect, f"UPDATE {name} SET body = '{text}' WHERE n % {step} = 0")
        rows = self.tables[name]
        rows.update({n: text for n in rows if n % step == 0})

    def delete(self, connect):
        name, step = self.table(), self.random.randint(1, 9)
        self.execute(connect, f"DELETE FROM {name} WHERE n % {step} = 0")
        self.tables[name] = {n: text for n, text in self.tables[name].items() if n % step}

    def rolled_back(self, connect):
        name = self.table()
        self.execute(connect, f"BEGIN; UPDATE {name} SET body = 'gone'; TRUNCATE {name}; CREATE TABLE never (n int); ROLLBACK")

    def truncate(self, connect):
        name = self.table()
        self.execute(connect, f"TRUNCATE {name}")
        self.tables[name] = {}

    def drop_table(self, connect):
        name = self.table()
        self.execute(connect, f"DROP TABLE {name}")
        del self.tables[name]

    def vacuum_full(self, connect):
        self.execute(connect, f"VACUUM FULL {self.table()}")

    def vacuum(self, connect):
        self.execute(connect, f"VACUUM {self.table()}")

    def index(self, connect):
        self.execute(connect, f"CREATE INDEX ON {self.table()} (body)")

    def create_database(self, connect):
        name = self.random.choice([f"d{n}" for n in range(5) if f"d{n}" not in self.model.databases])
        template = MAIN if self.random.random() < 0.3 else "template0"
        strategy = self.random.choice(["wal_log", "file_copy"])
        self.execute(connect, f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY {strategy}", "postgres")
        self.model.databases[name] = copy.deepcopy(self.model.databases[MAIN]) if template == MAIN else {}

    def drop_database(self, connect):
        self.execute(connect, f"DROP DATABASE {self.database}", "postgres")
        del self.model.databases[self.database]


def actual(connect):
    """The whole content of a branch, read back."""
    model = Model()
    with connect("postgres") as conn:
        names = conn.execute("SELECT datname FROM pg_database WHERE datname = %s OR datname ~ '^d[0-9]$'", (MAIN,)).fetchall()
    model.databases = {name: {} for name, in names}
    for database, tables in model.databases.items():
        with connect(database) as conn:
            found = conn.execute("SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace")
            for name, in found.fetchall():
                tables[name] = dict(conn.execute(f"SELECT n, body FROM {name}").fetchall())
    return model


def difference(expected, found):
    """The first thing in which two contents differ, in words; empty if they are equal."""
    if set(expected.databases) != set(found.databases):
        return f"databases {sorted(found.databases)}, expected {sorted(expected.databases)}"
    for database, tables in expected.databases.items():
        if set(tables) != set(found.databases[database]):
            return f"{database} has tables {sorted(found.databases[database])}, expected {sorted(tables)}"
        for name, rows in tables.items():
            other = found.databases[database][name]
            missing, extra = sorted(set(rows) - set(other)), sorted(set(other) - set(rows))
            if missing or extra:
                return f"{database}.{name}: {len(missing)} rows missing {missing[:3]}, {len(extra)} too many {extra[:3]}"
            wrong = [n for n in rows if rows[n] != other[n]]
            if wrong:
                return f"{database}.{name}: {len(wrong)} rows differ, first n={wrong[0]}: {other[wrong[0]][:20]!r}, expected {rows[wrong[0]][:20]!r}"
    return ""
