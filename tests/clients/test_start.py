"""How `tarn serve` starts: where its settings come from, what it refuses and when, and the first token."""

import os
import shutil
import socket
import subprocess

import psycopg
import pytest
from harness.server import Server, primary


@pytest.fixture
def own():
    """A server that a test starts itself."""
    server = Server()
    yield server
    server.destroy()


class FromFile(Server):
    """A server whose command line names a file and nothing else."""

    def command(self):
        file = self.root / "tarn.toml"
        file.write_text(f'# one key a line\ndata-dir = "{self.data}"\nhttp = "127.0.0.1:{self.port}"\n'
                        f'address-block = "{self.block}"\nwrite-profile = "{self.profile}"\n')
        return [str(self.program()), "serve", "--config", str(file), *self.options]


def refused(server, *options):
    """What a start prints that does not come about; a flag that the server has anyway gets another value."""
    command, options = server.command(), list(options)
    while options:
        word = options.pop(0)
        if word.startswith("--") and word in command:
            command[command.index(word) + 1] = options.pop(0)
        else:
            command.append(word)
    ended = subprocess.run(command, env={**os.environ, **server.environment}, capture_output=True,
                           text=True, timeout=60)
    assert ended.returncode > 0, ended
    assert "token" not in ended.stdout, "a token that was shown is lost if the start then fails"
    return ended


def listener(address, port):
    held = socket.socket()
    held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    held.bind((address, port))
    held.listen()
    return held


def status_of(server):
    return server.client.api_client.do("GET", "/api/tarn/v1/status")


def test_every_setting_may_come_from_a_file():
    with FromFile() as server:
        assert status_of(server)["data_directory"] == str(server.data)


@pytest.mark.parametrize("content,part", [('htpp = "127.0.0.1:1"', "'htpp'"), ("pg-port = 70000", "'pg-port'"), (None, "no such file")])
def test_a_wrong_settings_file_is_refused_by_name_and_key(own, content, part):
    file = own.root / "wrong.toml"
    if content:
        file.write_text(content + "\n")
    ended = refused(own, "--config", str(file))
    assert ended.returncode == 2 and str(file) in ended.stderr and part in ended.stderr, ended.stderr
    assert not own.data.exists()


@pytest.mark.parametrize("setting,value", [("TARN_SHARED_BUFFERS", "much"), ("TARN_PG_PORT", "0"), ("TARN_NETWORK_ADDRESS", "127.0.0.1")])
def test_a_setting_that_cannot_work_is_refused_before_anything_is_made(own, setting, value):
    own.environment[setting] = value
    ended = refused(own)
    assert ended.returncode == 2 and "--" + setting[5:].lower().replace("_", "-") in ended.stderr, ended.stderr
    assert not own.data.exists()


def test_a_taken_port_of_the_api_is_told_with_the_way_out(own):
    with listener("127.0.0.1", own.port):
        stderr = refused(own).stderr
    assert f"127.0.0.1:{own.port}" in stderr and f"(pid {os.getpid()})" in stderr and "--http" in stderr, stderr
    assert not (own.data / "meta.db").exists()
    own.start()
    assert "token (shown only now)" in own.log.read_text()


def test_a_taken_port_of_endpoints_is_told_with_the_way_out(own):
    with listener(own.block.replace(".0/24", ".1"), 5432):
        stderr = refused(own).stderr
    assert f"(pid {os.getpid()})" in stderr and "--address-block" in stderr, stderr
    own.start()
    assert "token (shown only now)" in own.log.read_text()


def test_a_missing_certificate_costs_no_token(own):
    missing = str(own.root / "missing.pem")
    assert missing in refused(own, "--tls-certificate", missing, "--tls-key", missing).stderr
    own.start()
    assert "token (shown only now)" in own.log.read_text()


def test_a_profile_that_cannot_be_written_costs_no_token(own):
    for profile in (own.root / "none/databrickscfg", own.root):
        stderr = refused(own, "--write-profile", str(profile)).stderr
        assert str(profile) in stderr and "--write-profile names a file" in stderr, stderr
    assert not own.data.exists()
    own.start()
    assert "token (shown only now)" in own.log.read_text()


@pytest.mark.parametrize("options,part", [
    (["--http", "192.0.2.1:80"], "no such address: name one"),
    (["--network-address", "192.0.2.1", "--network-domain", "x.example"], "(--network-address, --pg-port)"),
    (["--network-address", "here", "--network-domain", "x.example"], "--network-address"),
    (["--admin", "a b"], "--admin names the administrator"),
    (["--htpt", "x"], "did you mean `--http`"),
    (["--data-dir", "/proc/1/none"], "choose a data directory that you can write with --data-dir"),
    (["more"], "`tarn serve` has no use for 'more'")])
def test_what_cannot_be_is_told_with_what_can(own, options, part):
    stderr = refused(own, *options).stderr
    assert part in stderr and "hint: " in stderr, stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="only a server of root runs computes as another user")
def test_a_store_of_another_user_is_refused_and_left_as_it_is(own):
    own.start()
    own.stop()
    lineages = own.data / "store/lineages"
    owner = lineages.stat().st_uid
    os.chown(lineages, 12345, -1)
    stderr = refused(own).stderr
    assert "belongs to user id 12345" in stderr and "chown -R" in stderr and "--compute-user" in stderr, stderr
    assert lineages.stat().st_uid == 12345
    os.chown(lineages, owner, -1)
    own.start()


def test_a_profile_gets_a_new_token_when_its_data_is_new(own):
    own.start()
    old = own.token
    own.restart()
    assert own.token == old, "a token that is good is kept"
    own.stop()
    shutil.rmtree(own.data)
    own.start()
    assert own.token != old
    assert own.user == "admin@example.com"


def test_a_directory_without_postgresql_is_told(own):
    own.options = ["--pg-dir", str(own.root / "empty")]
    own.start()
    assert f"--pg-dir {own.root}/empty holds no PostgreSQL" in own.log.read_text()


@pytest.mark.skipif(os.geteuid() != 0, reason="only a server of root runs computes as another user")
def test_a_program_that_computes_cannot_reach_is_told_at_the_start(own):
    closed = own.root / "closed"
    shutil.copytree(own.program().parent, closed / "bin")
    closed.chmod(0o700)
    own.program = lambda: closed / "bin/tarn"
    stderr = refused(own).stderr
    assert f"cannot enter {closed}" in stderr, stderr
    closed.chmod(0o755)
    (closed / "bin/libtarn_shim.so").chmod(0o700)
    stderr = refused(own).stderr
    assert f"cannot read {closed}/bin/libtarn_shim.so" in stderr, stderr
    assert "'nobody-knows'" in refused(own, "--compute-user", "nobody-knows").stderr
    (closed / "bin/libtarn_shim.so").chmod(0o755)
    postgres = own.root / "postgres"
    (postgres / "17/bin").mkdir(parents=True)
    for program in ("postgres", "initdb"):
        shutil.copy("/bin/true", postgres / "17/bin" / program)
    postgres.chmod(0o700)
    own.options = ["--pg-dir", str(postgres)]
    own.start()  # others may be there
    assert f"cannot enter {postgres}" in own.log.read_text()


def test_network_mode_answers_with_names_below_its_domain(own):
    address = own.block.replace(".0/24", ".254")
    own.options = ["--network-address", address, "--network-domain", "db.example"]
    own.start()
    own.create_project("far")
    endpoint = own.api.get_endpoint(name=primary("far"))
    assert endpoint.status.hosts.host == f"{endpoint.uid}.db.example"
    with own.connect(primary("far"), hostaddr=address, sslmode="verify-full", sslrootcert=str(own.ca)) as conn:
        assert conn.execute("SELECT 1").fetchone() == (1,)
    with pytest.raises(psycopg.OperationalError):
        own.connect(primary("far"), host="other.db.example", hostaddr=address)
