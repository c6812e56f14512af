"""The crash tests' own judge, judged: it must go red on a PostgreSQL that is known to lose commits.

No Tarn here: a stock PostgreSQL with synchronous_commit=off acknowledges before it writes, so that a
kill loses acknowledged commits; the same one with the setting on loses none.
"""

import psycopg
import pytest
from harness import processes
from harness.stock import StockPostgres
from harness.workload import Ledger, Tables, amcheck


def crash_once(stock, seed):
    """Runs the workload, kills everything once it has acknowledged enough, and judges what is left."""
    stock.query(Ledger.TABLE)
    workers = [Ledger("one", stock.connect, seed), Ledger("two", stock.connect, seed), Tables("ddl", stock.connect, seed)]
    for worker in workers:
        worker.start()
    processes.wait_until(lambda: all(len(w.acknowledged) > 300 for w in workers[:2]) and workers[2].steps > 5, "some load")
    processes.kill_all(stock.root)
    stock.process.wait()
    (stock.data / "postmaster.pid").unlink()
    (stock.root / ".s.PGSQL.5432.lock").unlink()
    stock.start()
    try:
        for worker in workers:
            worker.pause()
        with stock.connect() as conn:
            for worker in workers:
                worker.check(conn)
            amcheck(conn)
    finally:
        for worker in workers:
            worker.stop()


def test_a_postgres_that_keeps_its_word_is_found_innocent():
    with StockPostgres() as stock:
        crash_once(stock, seed=1)


def test_a_postgres_that_acknowledges_too_early_is_found_out():
    """Some statements of the load flush the WAL for all, so a single crash may lose nothing: within eight, one does."""
    settings = {"synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": 0}
    with pytest.raises(AssertionError, match="lost|holds|there|would have become"):
        for seed in range(1, 9):
            with StockPostgres(settings=settings) as stock:
                crash_once(stock, seed)


def test_a_page_from_the_past_is_found():
    """What a store that serves an old version of a page looks like: whole, checksummed, and stale."""
    with StockPostgres() as stock:
        stock.query("CREATE TABLE t AS SELECT n FROM generate_series(1, 10000) n")
        stock.query("CREATE INDEX t_n ON t (n)")
        index = stock.data / stock.query("SELECT pg_relation_filepath('t_n')")[0][0]
        stock.stop()
        first_leaf = index.read_bytes()[8192:16384]
        stock.start()
        stock.query("INSERT INTO t VALUES (5), (6), (7)")
        stock.stop()
        with open(index, "r+b") as file:
            file.seek(8192)
            file.write(first_leaf)
        stock.start()
        with stock.connect() as conn, pytest.raises(psycopg.errors.DataCorrupted, match="lacks matching index tuple"):
            amcheck(conn)
