"""A server for a file of tests, and an endpoint of each PostgreSQL on it."""

import pytest
from harness.server import MAJORS, Server, primary


@pytest.fixture(scope="module")
def server():
    # Pages are moved together all the time, so that kills and faults meet that too.
    with Server(options=["--compaction-calm", "0.3s"]) as running:
        yield running


@pytest.fixture(scope="module", params=MAJORS)
def endpoint(request, server):
    server.create_project(f"pg{request.param}", request.param)
    return primary(f"pg{request.param}")
