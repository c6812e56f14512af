"""A server for a file of tests."""

import pytest
from harness.server import Server


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running
