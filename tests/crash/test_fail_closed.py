"""Only PostgreSQL with the shim gets at page contents, and nobody can switch off what safety rests on."""

import os

import psycopg
import pytest
from harness import processes
from harness.server import primary

BLOCK = 8192


def compute_directory(server, endpoint):
    return server.data / "endpoints" / server.api.get_endpoint(name=endpoint).uid


@pytest.fixture(scope="module")
def endpoint(server):
    server.create_project("closed")
    server.query(primary("closed"), "create table t as select g, repeat('x', 500) as pad from generate_series(1, 2000) g")
    return primary("closed")


def relation_file(server, endpoint):
    return server.query(endpoint, "select pg_relation_filepath('t')")[0][0]


def test_stubs_hold_no_page(server, endpoint):
    stub = compute_directory(server, endpoint) / "pgdata" / relation_file(server, endpoint)
    status = os.stat(stub)
    assert status.st_size == 0 or status.st_size % BLOCK == 0
    assert status.st_size >= 100 * BLOCK, "the stub has the length of the relation"
    assert status.st_blocks == 0, "and none of its data"


def test_a_tablespace_with_a_location_is_refused(server, endpoint):
    location = server.root / "elsewhere"
    location.mkdir()
    os.chown(location, os.stat(compute_directory(server, endpoint)).st_uid, -1)
    with server.superuser(endpoint) as conn, pytest.raises(psycopg.Error):
        conn.execute(f"create tablespace elsewhere location '{location}'")
    assert server.query(endpoint, "select count(*) from t") == [(2000,)]


def test_safety_settings_cannot_be_altered(server, endpoint):
    with server.superuser(endpoint) as conn:
        for name, value in (("fsync", "off"), ("wal_recycle", "on"), ("full_page_writes", "on")):
            before = setting(conn, name)
            assert before[1] == "command line", f"{name} comes from {before[1]}"
            conn.execute(f"alter system set {name} = {value}")
            reload(conn)
            assert setting(conn, name) == before


def setting(conn, name):
    """(value, where it comes from)"""
    return conn.execute("select setting, source from pg_settings where name = %s", (name,)).fetchone()


def reload(conn):
    """Lets the server read its files again, and waits until the backend of this connection has."""
    loaded = conn.execute("select pg_conf_load_time()").fetchone()
    conn.execute("select pg_reload_conf()")
    processes.wait_until(lambda: conn.execute("select pg_conf_load_time()").fetchone() != loaded,
                         "the backend has read the settings again")


def test_no_tenant_is_a_superuser(server, endpoint):
    assert server.query(endpoint, "select rolsuper from pg_roles where rolname = current_user") == [(False,)]


def test_no_tenant_makes_a_replication_slot(server, endpoint):
    """It would hold WAL back, and would be gone after the next crash."""
    for statement in ("select pg_create_physical_replication_slot('s')",
                      "select pg_create_logical_replication_slot('s', 'pgoutput')",
                      "alter role current_user replication"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            server.query(endpoint, statement)
    assert server.query(endpoint, "select count(*) from pg_replication_slots") == [(0,)]
