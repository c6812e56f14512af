"""The front door as drivers meet it: TLS, tokens, and the errors of those who may not come in."""

import threading
import time

import psycopg
import pytest
from harness import processes


def refused(server, endpoint, sqlstate, **parameters):
    """Logs in with these parameters and answers the text of the refusal."""
    with pytest.raises(psycopg.OperationalError) as raised:
        server.connect(endpoint, **parameters)
    # libpq's connection errors carry the text only; psycopg gives a state where it got one.
    assert raised.value.sqlstate in (None, sqlstate)
    return str(raised.value)


def test_the_token_is_the_password(server, shared_endpoint):
    assert server.query(shared_endpoint, "SELECT current_user, current_database()") == [
        (server.user, "databricks_postgres")]


def test_the_certificate_holds_for_the_address(server, shared_endpoint):
    with server.connect(shared_endpoint, sslmode="verify-full", sslrootcert=str(server.ca)) as conn:
        assert conn.pgconn.ssl_in_use
        assert conn.execute("SELECT 1").fetchone() == (1,)


def test_the_certificate_does_not_hold_for_another_name(server, shared_endpoint):
    address = server.connection(shared_endpoint)["host"]
    text = refused(server, shared_endpoint, None, host="other.example", hostaddr=address,
                   sslmode="verify-full", sslrootcert=str(server.ca))
    assert "certificate" in text and "other.example" in text


def test_a_plain_connection_is_refused_with_the_way_out(server, shared_endpoint):
    assert "sslmode=require" in refused(server, shared_endpoint, "28000", sslmode="disable")


@pytest.mark.parametrize("password", ["", "wrong", "a.b.c", "x" * 60000], ids=["empty", "word", "dots", "long"])
def test_what_is_no_token_is_refused(server, shared_endpoint, password):
    text = refused(server, shared_endpoint, "28P01", password=password)
    assert "FATAL" in text or "no password supplied" in text


def test_a_changed_token_is_refused(server, shared_endpoint):
    head, payload, signature = server.connection(shared_endpoint)["password"].split(".")
    changed = ("A" if signature[10] != "A" else "B").join([signature[:10], signature[11:]])
    refused(server, shared_endpoint, "28P01", password=f"{head}.{payload}.{changed}")


def test_the_token_of_another_endpoint_is_refused(server, shared_endpoint, project):
    other = server.connection(f"projects/{project}/branches/production/endpoints/primary")
    refused(server, shared_endpoint, "28P01", password=other["password"])


def test_another_user_than_the_tokens_is_refused(server, shared_endpoint):
    refused(server, shared_endpoint, "28P01", user="postgres")


def test_a_missing_database_is_named(server, shared_endpoint):
    assert '"nowhere"' in refused(server, shared_endpoint, "3D000", dbname="nowhere")


def test_an_address_without_endpoint_refuses_at_once(server, shared_endpoint):
    parts = server.block.split("/")[0].split(".")
    started = time.monotonic()
    refused(server, shared_endpoint, None, host=".".join([*parts[:3], "254"]))
    assert time.monotonic() - started < 5


def test_a_query_can_be_cancelled(server, shared_endpoint):
    with server.connect(shared_endpoint) as conn, server.connect(shared_endpoint) as watcher:
        pid = conn.info.backend_pid

        def cancel():
            running = "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE '%pg_sleep(60)%'"
            processes.wait_until(lambda: watcher.execute(running + " AND pid <> pg_backend_pid()").fetchone()[0] > 0,
                                 "the query runs", 30)
            conn.cancel()

        helper = threading.Thread(target=cancel)
        helper.start()
        started = time.monotonic()
        with pytest.raises(psycopg.errors.QueryCanceled):
            conn.execute("SELECT pg_sleep(60)")
        helper.join()
        assert time.monotonic() - started < 30
        assert pid and conn.execute("SELECT 1").fetchone() == (1,)


def test_the_owner_is_no_superuser_and_reaches_no_files(server, shared_endpoint):
    with server.connect(shared_endpoint) as conn:
        assert conn.execute("SELECT rolsuper FROM pg_roles WHERE rolname = current_user").fetchone() == (False,)
        for statement in ("COPY (SELECT 1) TO PROGRAM 'true'", "SELECT pg_read_file('PG_VERSION')",
                          "ALTER SYSTEM SET fsync = off", "CREATE TABLESPACE t LOCATION '/tmp'"):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                conn.execute(statement)


def test_two_hundred_kilobytes_pass_both_ways(server, shared_endpoint):
    text = "x" * 200_000
    with server.connect(shared_endpoint) as conn:
        assert conn.execute("SELECT %s || 'y'", (text,)).fetchone() == (text + "y",)


def test_copy_both_ways(server, shared_endpoint):
    with server.connect(shared_endpoint) as conn:
        conn.execute("CREATE TEMPORARY TABLE numbers (n int)")
        with conn.cursor().copy("COPY numbers FROM STDIN") as copy:
            for n in range(50_000):
                copy.write_row((n,))
        with conn.cursor().copy("COPY numbers TO STDOUT") as copy:
            assert sum(int(row[0]) for row in copy.rows()) == sum(range(50_000))
