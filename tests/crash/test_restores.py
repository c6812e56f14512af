"""The server killed while a branch is restored under load: no acknowledged row is lost, none comes back that was set aside."""

import os
import random
import threading
import time
from datetime import datetime, timezone

import psycopg
import pytest
from harness import processes, verify
from harness.server import MAJORS, Server, primary

SEED = int(os.environ.get("TARN_SEED", random.SystemRandom().randrange(1 << 31)))
ROUNDS = 5


class Writer(threading.Thread):
    """Inserts one number after another, whatever happens to its connection; notes which were acknowledged, and when."""

    def __init__(self, parameters, begin):
        super().__init__(daemon=True)
        self.parameters, self.next = parameters, begin
        self.acknowledged = {}
        self.stopped = threading.Event()

    def run(self):
        while not self.stopped.is_set():
            try:
                with psycopg.connect(**self.parameters, autocommit=True) as conn:
                    while not self.stopped.is_set():
                        number, self.next = self.next, self.next + 1
                        conn.execute("INSERT INTO ledger VALUES (%s)", [number])
                        self.acknowledged[number] = datetime.now(timezone.utc)
            except psycopg.OperationalError:
                time.sleep(0.01)  # not a wait for anything: the server is dead, or the session was ended

    def wait_for_more(self):
        known = len(self.acknowledged)
        processes.wait_until(lambda: len(self.acknowledged) > known + 5, "rows are written", 60)


def numbers(server, branch):
    return {n for n, in server.query(f"{branch}/endpoints/primary", "SELECT n FROM ledger")}


@pytest.mark.parametrize("major", MAJORS)
def test_a_server_killed_while_it_restores_loses_nothing(major, capsys):
    generator = random.Random(f"{SEED}-{major}")
    with capsys.disabled():
        print(f"\nseed {SEED} (again: TARN_SEED={SEED} script/test crash)")
    with Server() as server:
        server.create_project("p", major)
        branch = "projects/p/branches/production"
        server.query(primary("p"), "CREATE TABLE ledger (n bigint)")
        do = server.client.api_client.do
        begin = 0
        for round_number in range(ROUNDS):
            writer = Writer(server.connection(f"{branch}/endpoints/primary"), begin)
            writer.start()
            writer.wait_for_more()
            moment = datetime.now(timezone.utc)
            writer.wait_for_more()
            kept = f"kept-{round_number}"
            operation = do("POST", f"/api/2.0/postgres/{branch}:restore", body={
                "source_branch_time": moment.isoformat(), "preserved_branch_id": kept})
            asked = datetime.now(timezone.utc)
            time.sleep(generator.uniform(0, 0.7))  # the moment of the kill
            server.kill()
            server.start()
            done = {}

            def ended():
                nonlocal done
                done = do("GET", f"/api/2.0/postgres/{operation['name']}")
                return done["done"]

            processes.wait_until(ended, "the restore ends", 120)
            writer.wait_for_more()
            writer.stopped.set()
            writer.join(60)
            begin = writer.next

            assert "error" not in done, done
            now, before = numbers(server, branch), numbers(server, f"projects/p/branches/{kept}")
            # Its commit may lie before the moment, and only the news of it after.
            in_flight = min(n for n, time_of in writer.acknowledged.items() if time_of >= moment)
            for number, time_of in writer.acknowledged.items():
                if time_of < moment:
                    assert number in now and number in before, number
                elif time_of < asked:
                    assert number in before and (number not in now or number == in_flight), number
                else:
                    assert number in now or number in before, number
            server.api.delete_branch(name=f"projects/p/branches/{kept}", purge=True).wait()
        verify.assert_whole(server)
