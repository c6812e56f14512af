"""The harness leaves nothing behind, even when the test run itself is killed."""

import os
import subprocess
import sys

from harness import processes
from harness.server import PROJECT_ROOT

OWNER = """
import time
from harness.server import Server, primary
server = Server().start()
server.create_project("orphan")
server.query(primary("orphan"), "SELECT 1")
print(server.root, flush=True)
time.sleep(600)
"""


def test_a_killed_run_leaves_no_process_and_no_folder(tmp_path):
    script = tmp_path / "owner.py"
    script.write_text(OWNER)
    owner = subprocess.Popen([sys.executable, script], stdout=subprocess.PIPE, text=True,
                             env={**os.environ, "PYTHONPATH": str(PROJECT_ROOT / "tests")})
    root = owner.stdout.readline().strip()
    assert len(processes.of_directory(root)) > 3
    owner.kill()
    owner.wait()
    processes.wait_until(lambda: not processes.of_directory(root), f"processes of {root} gone")
    processes.wait_until(lambda: not os.path.exists(root), f"{root} gone")
