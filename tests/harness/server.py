"""One private `tarn serve`: its own data directory, loopback addresses and port; leaves nothing behind."""

import atexit
import configparser
import fcntl
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import psycopg
from databricks.sdk import WorkspaceClient
from databricks.sdk.service.postgres import (Branch, BranchSpec, Duration, Endpoint, EndpointSpec, EndpointType,
                                             FieldMask, Project, ProjectSpec)

from . import processes
from .guard import Guard

PROJECT_ROOT = Path(__file__).resolve().parents[2]
TARN = Path(os.environ.get("TARN_BIN", PROJECT_ROOT / "build/release/bin/tarn"))
MAJORS = (16, 17, 18)
SUPERUSER = "cloud_admin"


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def free_address_block(large=False):
    """A /24 of loopback addresses, or a large /16, that no other server of this machine was given.

    Held by a lock file for the life of this process: two test runs at once must not share addresses,
    and port 5432 of an address says nothing before an endpoint listens there.
    """
    folder = Path(tempfile.gettempdir()) / f"tarn-address-blocks-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    for second in range(250, 254) if large else range(128, 250):
        for third in [0] if large else range(1, 250):
            held = os.open(folder / f"127.{second}.{third}.0", os.O_CREAT | os.O_RDWR, 0o600)
            try:
                fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                os.close(held)
                continue
            return f"127.{second}.{third}.0/{16 if large else 24}", held
    raise RuntimeError("every loopback block of the tests is taken: are old test runs still alive?")


class Server:
    def __init__(self, root=None, options=(), environment=None, wrapper=(), development=True, large_block=False):
        if not TARN.is_file():
            raise FileNotFoundError(f"{TARN} is not built: script/build")
        # Below /var/tmp, which is on a disk everywhere, and open to the unprivileged user of the computes.
        self.root = Path(root or tempfile.mkdtemp(prefix="tarn-test-", dir="/var/tmp"))
        self.root.mkdir(exist_ok=True)
        self.root.chmod(0o755)
        self.data = self.root / "data"
        self.log = self.root / "serve.log"
        self.profile = self.root / "databrickscfg"
        self.port = free_port()
        self.block, self._block_lock = free_address_block(large_block)
        self.development = ["--development"] if development else []
        self.options = list(options)
        self.environment = dict(environment or {})
        if "TARN_HOME" in os.environ:  # where script/setup put PostgreSQL, when not at the usual place
            self.environment.setdefault("TARN_PG_DIR", os.environ.get("TARN_PG_DIR", os.environ["TARN_HOME"] + "/postgres"))
        self.wrapper = list(wrapper)  # a command that runs `tarn serve` as its last arguments
        self.process = None
        self._client = None
        atexit.register(self.destroy)
        self._guard = Guard(self.root)

    # Starting and ending

    def command(self):
        return [str(self.program()), "serve", "--data-dir", str(self.data), "--http", f"127.0.0.1:{self.port}",
                "--address-block", self.block, "--write-profile", str(self.profile), *self.development, *self.options]

    def program(self):
        """The built program, or a copy where its own folder is closed to the computes' user."""
        if os.geteuid() != 0 or readable_by_others(TARN):
            return TARN
        copy = self.root / "bin"
        if not copy.is_dir():
            shutil.copytree(TARN.parent, copy)
        return copy / TARN.name

    def start(self, seconds=120):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.wrapper, *self.command()], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            env={**os.environ, **self.environment}, start_new_session=True)
        processes.wait_until(self.answers, f"tarn serve ready (log: {self.log})", seconds)
        return self

    def answers(self):
        if self.process.poll() is not None:
            raise RuntimeError(f"tarn serve ended with status {self.process.returncode}:\n{self.log_tail()}")
        try:
            with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(f"{self.url}/healthz", timeout=5) as r:
                return r.status == 200
        except (urllib.error.URLError, OSError):
            return False

    def stop(self, seconds=60):
        """A clean end, as an operator would: SIGTERM, and it goes by itself."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            self.process.wait(timeout=seconds)
        self.process = None

    def kill(self):
        """kill -9 of the server process alone; its computes live on."""
        if self.process:
            self.process.kill()
            self.process.wait()
        self.process = None

    def restart(self):
        self.stop()
        return self.start()

    def destroy(self):
        atexit.unregister(self.destroy)
        processes.end_all(self.root)
        if self.process:
            self.process.wait()
            self.process = None
        os.close(self._block_lock)
        if not os.environ.get("TARN_KEEP"):  # to look at what a failed test left
            shutil.rmtree(self.root, ignore_errors=True)
        self._guard.dismiss()

    def __enter__(self):
        return self.start()

    def __exit__(self, *_):
        self.destroy()

    def log_tail(self, lines=30):
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:]) if self.log.exists() else ""

    # Clients

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    @property
    def ca(self):
        return self.data / "ca.crt"

    @property
    def token(self):
        profiles = configparser.ConfigParser(default_section="none")
        profiles.read(self.profile)
        return profiles["DEFAULT"]["token"]

    @property
    def client(self):
        if self._client is None:
            self._client = WorkspaceClient(host=self.url, token=self.token)
        return self._client

    @property
    def api(self):
        return self.client.postgres

    @property
    def user(self):
        return self.client.current_user.me().user_name

    def client_environment(self):
        """What an SDK in a process of its own needs to find this server, and nothing of the caller's login."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("DATABRICKS_", "PG"))}
        return {**kept, "DATABRICKS_HOST": self.url, "DATABRICKS_TOKEN": self.token,
                "DATABRICKS_CONFIG_FILE": "/dev/null"}

    def connection(self, endpoint, **parameters):
        """Keyword arguments for psycopg.connect (and names for libpq) that log in to an endpoint."""
        return {"host": self.api.get_endpoint(name=endpoint).status.hosts.host, "port": 5432,
                "user": self.user, "password": self.api.generate_database_credential(endpoint=endpoint).token,
                "dbname": "databricks_postgres", "sslmode": "require", "connect_timeout": 60, **parameters}

    def connect(self, endpoint, autocommit=True, **parameters):
        return psycopg.connect(**self.connection(endpoint, **parameters), autocommit=autocommit)

    def query(self, endpoint, statement, *arguments, **parameters):
        with self.connect(endpoint, **parameters) as conn:
            cursor = conn.execute(statement, *arguments)
            return cursor.fetchall() if cursor.description else None

    def superuser(self, endpoint, uid=None, **parameters):
        """A connection as the bootstrap superuser, past the proxy, over the running compute's own socket.

        For amcheck and CHECKPOINT, which no client of the service may run.
        """
        uid = uid or self.api.get_endpoint(name=endpoint).uid
        sockets = [line.split()[-1] for line in Path("/proc/net/unix").read_text().splitlines()
                   if line.endswith("/.s.PGSQL.5432") and uid in line]
        if not sockets:
            raise psycopg.OperationalError(f"{endpoint} ({uid}) has no socket: it sleeps, or is starting")
        return psycopg.connect(host=str(Path(sockets[-1]).parent), user=SUPERUSER, autocommit=True,
                               **{"dbname": "databricks_postgres", "connect_timeout": 10, **parameters})

    def direct(self, endpoint):
        """What connection() gives, but past the proxy, as superuser() connects."""
        with self.superuser(endpoint) as conn:
            return {"host": conn.info.host, "port": 5432, "user": conn.info.user, "dbname": conn.info.dbname}

    # Resources

    def create_project(self, project_id, major=17):
        return self.api.create_project(project=Project(spec=ProjectSpec(display_name=project_id, pg_version=major)),
                                       project_id=project_id).wait()

    def create_branch(self, source, branch_id):
        return self.api.create_branch(parent=source.split("/branches/")[0], branch_id=branch_id,
                                      branch=Branch(spec=BranchSpec(source_branch=source, no_expiry=True))).wait()

    def update_endpoint(self, endpoint, *mask, **spec):
        return self.api.update_endpoint(
            name=endpoint, update_mask=FieldMask(field_mask=[f"spec.{m}" for m in mask or spec]),
            endpoint=Endpoint(name=endpoint, spec=EndpointSpec(
                endpoint_type=EndpointType.ENDPOINT_TYPE_READ_WRITE, **spec))).wait()

    def suspend_after(self, endpoint, seconds):
        return self.update_endpoint(endpoint, suspend_timeout_duration=Duration(seconds=seconds))

    def state(self, endpoint):
        return self.api.get_endpoint(name=endpoint).status.current_state.value

    def wait_for_state(self, endpoint, state, seconds=60):
        processes.wait_until(lambda: self.state(endpoint) == state, f"{endpoint} {state}", seconds)

    # Processes

    def processes(self):
        return processes.of_directory(self.root)

    def postgres_of(self, endpoint):
        """The processes of the PostgreSQL that serves an endpoint, postmaster first; empty while it sleeps."""
        uid = self.api.get_endpoint(name=endpoint).uid
        mine = self.processes()
        for postmaster in mine:
            if postmaster.is_postmaster and processes.names_directory(postmaster, uid):
                return [postmaster] + [p for p in mine if p.parent == postmaster.pid]
        return []


def readable_by_others(path):
    """Whether any user may read this file: it and every folder above it are open."""
    path = Path(path).resolve()
    return path.stat().st_mode & 0o005 == 0o005 and all(p.stat().st_mode & 0o001 for p in path.parents)


def primary(project_id, branch="production"):
    return f"projects/{project_id}/branches/{branch}/endpoints/primary"


def timed(action):
    """(answer, milliseconds)"""
    start = time.monotonic()
    answer = action()
    return answer, (time.monotonic() - start) * 1000
