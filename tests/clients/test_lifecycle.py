"""Sleep, wake, restart and death of computes and of the server, seen from outside."""

import os
import pathlib
import resource
import signal
import subprocess

import psycopg
import pytest
from harness import processes
from harness.server import MAJORS, Server, primary


@pytest.fixture(scope="module")
def own(request):
    """A server of this module's own: it is stopped and killed here."""
    with Server() as running:
        yield running


@pytest.fixture(scope="module", params=MAJORS)
def endpoint(request, own):
    own.create_project(f"pg{request.param}", request.param)
    name = primary(f"pg{request.param}")
    own.query(name, "CREATE TABLE kept (n int)")
    return name


def count(server, endpoint):
    return server.query(endpoint, "SELECT count(*) FROM kept")[0][0]


def test_a_new_endpoint_sleeps_until_it_is_used(own, project_id="untouched"):
    own.create_project(project_id)
    own.suspend_after(primary(project_id), 1)
    own.wait_for_state(primary(project_id), "IDLE")
    assert own.query(primary(project_id), "SELECT 1") == [(1,)]
    assert own.state(primary(project_id)) == "ACTIVE"


def test_it_falls_asleep_and_wakes_with_its_data(own, endpoint):
    before = count(own, endpoint)
    own.query(endpoint, "INSERT INTO kept SELECT generate_series(1, 1000)")
    own.suspend_after(endpoint, 1)
    own.wait_for_state(endpoint, "IDLE")
    assert own.postgres_of(endpoint) == []
    own.suspend_after(endpoint, 3600)
    assert count(own, endpoint) == before + 1000


def test_a_running_query_keeps_it_awake(own, endpoint):
    own.suspend_after(endpoint, 1)
    assert own.query(endpoint, "SELECT pg_sleep(4)") == [("",)]
    own.suspend_after(endpoint, 3600)


def test_an_open_transaction_keeps_it_awake(own, endpoint):
    own.suspend_after(endpoint, 1)
    with own.connect(endpoint, autocommit=False) as conn:
        conn.execute("INSERT INTO kept VALUES (1)")
        with pytest.raises(TimeoutError):
            own.wait_for_state(endpoint, "IDLE", seconds=4)
        conn.rollback()
    own.suspend_after(endpoint, 3600)


def test_a_stopped_server_comes_back_with_everything(own, endpoint):
    own.query(endpoint, "INSERT INTO kept SELECT generate_series(1, 10)")
    before, projects = count(own, endpoint), {p.name for p in own.api.list_projects()}
    own.restart()
    assert {p.name for p in own.api.list_projects()} == projects
    assert count(own, endpoint) == before


def test_a_killed_server_finds_its_computes_again(own, endpoint):
    before = count(own, endpoint)
    postmaster = own.postgres_of(endpoint)[0]
    own.kill()
    assert postmaster.alive(), "kill -9 of the server must leave the compute running"
    own.start()
    assert count(own, endpoint) == before
    assert own.postgres_of(endpoint)[0] == postmaster, "the running compute was not adopted"


def test_a_dead_compute_is_back_at_the_next_connection(own, endpoint):
    own.query(endpoint, "INSERT INTO kept SELECT generate_series(1, 10)")
    before = count(own, endpoint)
    for process in own.postgres_of(endpoint):
        process.kill()
    assert count(own, endpoint) == before


def test_without_the_shim_the_directory_is_no_cluster(own, endpoint):
    before = count(own, endpoint)
    tree = own.postgres_of(endpoint)
    program, directory = compute_paths(tree[0])
    own.kill()
    processes.kill_all(own.root)
    pathlib.Path(directory, "postmaster.pid").unlink()  # not the lock of the dead is to stop it
    options = {}
    if os.geteuid() == 0:
        owner = os.stat(directory)
        options = {"user": owner.st_uid, "group": owner.st_gid, "extra_groups": []}
    ended = subprocess.run([program, "-D", directory, "-c", "listen_addresses=", "-c", "unix_socket_directories="],
                           env={k: v for k, v in os.environ.items() if k != "LD_PRELOAD"}, capture_output=True,
                           text=True, timeout=60, cwd="/", **options)
    own.start()
    assert ended.returncode != 0, "stock postgres opened a directory whose pages are elsewhere"
    assert "database files are incompatible with server" in ended.stderr, ended.stderr
    assert count(own, endpoint) == before


def compute_paths(postmaster):
    arguments = [a.decode() for a in open(f"/proc/{postmaster.pid}/cmdline", "rb").read().split(b"\0")]
    program = os.readlink(f"/proc/{postmaster.pid}/exe")
    directory = os.readlink(f"/proc/{postmaster.pid}/cwd")
    for before, argument in zip(arguments, arguments[1:]):
        if before == "-D":
            directory = argument
    return program, directory


def test_an_idle_connection_of_a_dead_compute_is_told(own, endpoint):
    with own.connect(endpoint) as conn:
        conn.execute("SELECT 1")
        for process in own.postgres_of(endpoint):
            process.kill()
        with pytest.raises(psycopg.OperationalError):
            conn.execute("SELECT 1")
    assert own.query(endpoint, "SELECT 1") == [(1,)]


def test_a_deleted_project_leaves_no_process(own):
    own.create_project("doomed")
    own.query(primary("doomed"), "SELECT 1")
    tree = own.postgres_of(primary("doomed"))
    assert tree
    own.api.delete_project(name="projects/doomed").wait()
    processes.wait_until(lambda: not any(p.alive() for p in tree), "the compute of a deleted project gone")
    assert "projects/doomed" not in {p.name for p in own.api.list_projects()}


def test_a_second_server_on_the_same_data_is_refused(own):
    second = Server(root=own.root.parent / f"{own.root.name}-second")
    try:
        command = second.command()
        command[command.index("--data-dir") + 1] = str(own.data)
        ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
        assert ended.returncode != 0
        said = ended.stderr + ended.stdout
        assert str(own.data) in said and f"{own.process.pid}" in said.replace(str(own.data), "")
    finally:
        second.destroy()
    assert own.answers()


def test_a_taken_http_port_is_named(own):
    second = Server()
    try:
        second.port = own.port
        ended = subprocess.run(second.command(), capture_output=True, text=True, timeout=60)
        assert ended.returncode != 0
        said = ended.stderr + ended.stdout
        assert str(own.port) in said
        assert f"{own.process.pid}" in said, "and who holds it"
    finally:
        second.destroy()


def refused(server, **options):
    """What `tarn serve` says that does not start."""
    ended = subprocess.run(server.command(), capture_output=True, text=True, timeout=60, **options)
    assert ended.returncode != 0
    return ended.stderr + ended.stdout


def test_too_few_descriptors_are_named_at_the_start():
    second = Server()
    try:
        few = (512, 512)
        said = refused(second, preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_NOFILE, few))
        assert "512 file descriptors" in said and "ulimit -Hn" in said
        assert not second.data.exists(), "and nothing was made"
    finally:
        second.destroy()


def test_an_unwritable_data_directory_is_named():
    second = Server()
    try:
        second.program()  # a copy, where it needs one, while the folder can be written
        second.root.chmod(0o555)
        nobody = {"user": 65534, "group": 65534, "extra_groups": []} if os.geteuid() == 0 else {}
        said = refused(second, **nobody)
        assert str(second.data) in said and "ermission denied" in said
    finally:
        second.root.chmod(0o755)
        second.destroy()


def test_sigterm_ends_the_server_and_lets_its_computes_go_on():
    with Server() as server:
        server.create_project("ended")
        endpoint = primary("ended")
        server.query(endpoint, "CREATE TABLE t AS SELECT 1 AS n")
        tree = server.postgres_of(endpoint)
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=60) == 0
        assert tree and all(p.alive() for p in tree)
        server.start()
        assert server.postgres_of(endpoint)[0] == tree[0]
        assert server.query(endpoint, "SELECT n FROM t") == [(1,)]
