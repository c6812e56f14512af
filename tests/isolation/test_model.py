"""The model, judged: on a stock PostgreSQL it agrees after hundreds of random changes, and it sees a planted one."""

import random

import psycopg
import pytest
from harness.model import MAIN, Change, Model, actual, difference
from harness.stock import StockPostgres


@pytest.fixture(scope="module")
def stock():
    with StockPostgres(settings={"fsync": "off"}) as running:
        running.query(f"CREATE DATABASE {MAIN}")
        yield running


def changed(stock, seed, times):
    def connect(database):
        return psycopg.connect(**{**stock.connection(), "dbname": database}, autocommit=True)

    for name in actual(connect).databases:
        stock.query(f"DROP DATABASE {name}")
    stock.query(f"CREATE DATABASE {MAIN}")
    model, generator = Model(), random.Random(seed)
    for _ in range(times):
        Change(generator, model).run(connect)
    return model, connect


def test_the_model_follows_a_stock_postgres(stock):
    model, connect = changed(stock, seed=7, times=300)
    assert difference(model, actual(connect)) == ""
    assert model.rows() > 1000


@pytest.mark.parametrize("planted,seen", [("UPDATE {t} SET body = 'other' WHERE n = (SELECT min(n) FROM {t})", "rows differ"),
                                          ("DELETE FROM {t} WHERE n = (SELECT min(n) FROM {t})", "1 rows missing"),
                                          ("INSERT INTO {t} VALUES (-1, 'more')", "1 too many"),
                                          ("DROP TABLE {t}", "has tables"), ("CREATE TABLE extra (n int, body text)", "has tables")])
def test_a_planted_difference_is_seen(stock, planted, seen):
    model, connect = changed(stock, seed=11, times=60)
    table = next(t for t, rows in sorted(model.databases[MAIN].items()) if rows)
    with connect(MAIN) as conn:
        conn.execute(planted.format(t=table))
    assert seen in difference(model, actual(connect))
