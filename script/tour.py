#!/usr/bin/env python3
"""The tour: the quick start of the Lakebase documents, against Tarn, through the real clients.

    script/tour.py --ca CA_FILE          (host and token: DATABRICKS_HOST, DATABRICKS_TOKEN or a profile)

Every step is the unmodified databricks-sdk or psycopg, and each prints what it got and how long it took.
Only two arguments differ from the documents: EndpointSpec's endpoint_type, which every release of the
SDK demands, and a free project id where `my-app` is taken.
"""

import argparse
import sys
import time

import psycopg
from databricks.sdk import WorkspaceClient
from databricks.sdk.errors import BadRequest
from databricks.sdk.service.postgres import (Branch, BranchSpec, Duration, Endpoint, EndpointSpec,
                                             EndpointType, FieldMask, Project, ProjectSpec)

COLOUR = sys.stdout.isatty()


def paint(code, text):
    return f"\033[{code}m{text}\033[0m" if COLOUR else text


def step(title):
    print(f"\n{paint('1;36', title)}")


def show(label, value):
    print(f"   {label:<22} {value}")


class Took:
    """Times a block: `with Took() as took: ...; took.ms`."""

    def __enter__(self):
        self.start = time.monotonic()
        return self

    def __exit__(self, *_):
        self.ms = round((time.monotonic() - self.start) * 1000)


class Tour:
    def __init__(self, ca, major):
        self.w = WorkspaceClient()
        self.ca = ca
        self.major = major
        self.user = self.w.current_user.me().user_name
        taken = {p.name for p in self.w.postgres.list_projects()}
        names = ["my-app"] + [f"my-app-{n}" for n in range(2, 1000)]
        self.project_id = next(n for n in names if f"projects/{n}" not in taken)
        self.project = f"projects/{self.project_id}"
        self.production = f"{self.project}/branches/production"
        self.primary = f"{self.production}/endpoints/ep-primary"

    def dsn(self, endpoint, sslmode="require"):
        """What the documents' "Connect from Notebook" builds, with the certificate checked if asked for."""
        host = self.w.postgres.get_endpoint(name=endpoint).status.hosts.host
        token = self.w.postgres.generate_database_credential(endpoint=endpoint).token
        checked = f" sslrootcert={self.ca}" if sslmode == "verify-full" else ""
        return (f"host={host} dbname=databricks_postgres user={self.user} password={token} "
                f"sslmode={sslmode}{checked} connect_timeout=30")

    def rows(self, endpoint, statement, sslmode="require"):
        with psycopg.connect(self.dsn(endpoint, sslmode)) as conn:
            cursor = conn.execute(statement)
            return cursor.fetchall() if cursor.description else None

    def create_project(self):
        step(f"1. Create a project on PostgreSQL {self.major}")
        with Took() as took:
            operation = self.w.postgres.create_project(
                project=Project(spec=ProjectSpec(display_name="My Application", pg_version=self.major)),
                project_id=self.project_id,
            )
            result = operation.wait()
        show("created", f"{result.name} in {took.ms} ms")
        for branch in self.w.postgres.list_branches(parent=self.project):
            for endpoint in self.w.postgres.list_endpoints(parent=branch.name):
                show("with the endpoint", f"{endpoint.name} at {endpoint.status.hosts.host}:5432")

    def connect(self):
        step("2. Generate an OAuth token and connect")
        cred = self.w.postgres.generate_database_credential(endpoint=self.primary)
        show("token", f"{cred.token[:16]}... ({len(cred.token)} characters, until {cred.expire_time.ToJsonString()})")
        for sslmode in ("require", "verify-full"):
            with Took() as took:
                rows = self.rows(self.primary, "SELECT version()", sslmode)
            show(f"sslmode={sslmode}", f"{rows[0][0].split(' on ')[0]}, {took.ms} ms")
        show("who", self.rows(self.primary, "SELECT current_user || ' in ' || current_database()")[0][0])

    def branch(self):
        step("3. Write 100,000 rows, then branch the database without copying it")
        self.rows(self.primary, "CREATE TABLE orders AS SELECT n AS id, 'paid' AS state FROM generate_series(1, 100000) n")
        with Took() as took:
            branch = self.w.postgres.create_branch(
                parent=self.project,
                branch=Branch(spec=BranchSpec(source_branch=self.production, ttl=Duration(seconds=604800))),  # 7 days
                branch_id="development",
            ).wait()
        show("branch created", f"{branch.name} in {took.ms} ms, from {branch.status.source_branch_lsn}")
        return next(iter(self.w.postgres.list_endpoints(parent=branch.name))).name

    def isolation(self, development):
        step("4. Change both sides; neither sees the other")
        with Took() as took:
            self.rows(development, "UPDATE orders SET state = 'refunded' WHERE id <= 1000; DROP TABLE IF EXISTS drafts; "
                                   "CREATE TABLE drafts (id int)")
        show("first use of branch", f"{took.ms} ms, with its start")
        self.rows(self.primary, "DELETE FROM orders WHERE id > 90000")
        question = ("SELECT count(*), count(*) FILTER (WHERE state = 'refunded'), "
                    "to_regclass('drafts') IS NOT NULL FROM orders")
        sides = {"production": self.rows(self.primary, question)[0], "development": self.rows(development, question)[0]}
        for side, (orders, refunded, drafts) in sides.items():
            show(side, f"{orders:>7,} orders, {refunded:>5,} refunded, table drafts: {'yes' if drafts else 'no'}")
        if sides != {"production": (90000, 0, False), "development": (100000, 1000, True)}:
            raise RuntimeError(f"the branches are not isolated: {sides}")

    def update(self, spec, *mask):
        return self.w.postgres.update_endpoint(
            name=self.primary,
            endpoint=Endpoint(name=self.primary, spec=spec),
            update_mask=FieldMask(field_mask=list(mask)),
        ).wait()

    def resize(self):
        step("5. Resize the compute to 2-8 CU; the open connection stays")
        with psycopg.connect(self.dsn(self.primary)) as conn:
            conn.execute("SELECT 1")
            with Took() as took:
                endpoint = self.update(
                    EndpointSpec(endpoint_type=EndpointType.ENDPOINT_TYPE_READ_WRITE,
                                 autoscaling_limit_min_cu=2.0, autoscaling_limit_max_cu=8.0),
                    "spec.autoscaling_limit_min_cu", "spec.autoscaling_limit_max_cu")
            status = endpoint.status
            show("now", f"{status.autoscaling_limit_min_cu:g}-{status.autoscaling_limit_max_cu:g} CU, {took.ms} ms")
            show("same connection", f"answers {conn.execute('SELECT 41 + 1').fetchone()[0]}")

    def suspend_and_wake(self):
        step("6. Fall asleep when idle, wake on the next connection")
        for seconds in (2, 60):  # shorter than 60 s only where the server was started for development
            try:
                self.update(EndpointSpec(endpoint_type=EndpointType.ENDPOINT_TYPE_READ_WRITE,
                                         suspend_timeout_duration=Duration(seconds=seconds)),
                            "spec.suspend_timeout_duration")
                break
            except BadRequest:
                if seconds == 60:
                    raise
        show("idle time allowed", f"{seconds} s; waiting for it ...")
        self.rows(self.primary, "SELECT 1")
        with Took() as took:
            self.wait_for_state("IDLE", limit=seconds + 60)
        show("asleep after", f"{took.ms / 1000:.1f} s")
        dsn = self.dsn(self.primary)
        with Took() as took:
            with psycopg.connect(dsn) as conn:
                count = conn.execute("SELECT count(*) FROM orders").fetchone()[0]
        show("awake, answered in", f"{took.ms} ms: {count:,} orders (TLS, login, start of PostgreSQL and query)")
        with Took() as took:
            self.rows(self.primary, "SELECT 1")
        show("next connection", f"{took.ms} ms, with two calls of the API")

    def wait_for_state(self, state, limit):
        deadline = time.monotonic() + limit
        while self.w.postgres.get_endpoint(name=self.primary).status.current_state.value != state:
            if time.monotonic() > deadline:
                raise RuntimeError(f"{self.primary} is not {state} after {limit} s; its log says why")
            time.sleep(0.1)

    def run(self):
        self.create_project()
        self.connect()
        development = self.branch()
        self.isolation(development)
        self.resize()
        self.suspend_and_wake()
        print(f"\n{paint('1;32', 'The tour is over.')} {self.project} is yours to play with.")


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--ca", required=True, help="the server's CA certificate, for sslmode=verify-full")
    parser.add_argument("--pg-version", type=int, default=17, choices=(16, 17, 18))
    parser.add_argument("--name-file", help="write the project's name here")
    options = parser.parse_args()
    try:
        tour = Tour(options.ca, options.pg_version)
        tour.run()
    except Exception as error:  # the SDK raises a bare Exception when an operation fails
        print(f"\nerror: the tour stopped: {str(error).strip()}", file=sys.stderr)
        print("  next: the server's log says more; script/quickstart runs the tour again with a new project", file=sys.stderr)
        return 1
    if options.name_file:
        with open(options.name_file, "w", encoding="utf-8") as out:
            out.write(tour.project + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
