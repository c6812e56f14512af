"""One server for the whole suite; every test makes its own project in it."""

import itertools

import pytest
from harness.server import Server, primary


@pytest.fixture(scope="session")
def server():
    with Server() as running:
        yield running


@pytest.fixture(scope="session")
def project_ids():
    return (f"p{n}" for n in itertools.count(1))


@pytest.fixture(scope="session")
def shared_endpoint(server, project_ids):
    """The endpoint of a project that tests may read and log in to, but never change."""
    project_id = next(project_ids)
    server.create_project(project_id)
    return primary(project_id)


@pytest.fixture
def project(server, project_ids):
    """A project of one test's own."""
    project_id = next(project_ids)
    server.create_project(project_id)
    return project_id
