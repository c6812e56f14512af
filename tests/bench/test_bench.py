"""Every benchmark runs in its quick form, in time, and ends with one JSON line that has every key it explains.

The figures themselves are not judged here: a shared machine of two cores says little about them.
"""

import json
import re
import subprocess
import time

import pytest
from harness.server import PROJECT_ROOT

QUICK_SECONDS = 50
SLACK = 2  # a machine that does other work beside


@pytest.mark.parametrize("name", ["oltp", "wake", "branch"])
def test_the_quick_form_says_all_it_explains(name, capsys):
    told = subprocess.run([PROJECT_ROOT / "bench" / name, "--help"], capture_output=True, text=True, check=True).stdout
    keys = re.findall(r"^  (\w+) {2,}", told.split("keys of the JSON line:")[1], re.M)
    started = time.monotonic()
    done = subprocess.run([PROJECT_ROOT / "bench" / name, "--quick"], capture_output=True, text=True, timeout=300)
    seconds = time.monotonic() - started
    assert done.returncode == 0, done.stderr[-3000:]
    values = json.loads(done.stdout.splitlines()[-1])
    with capsys.disabled():
        print(f"\nbench/{name} --quick, {seconds:.0f} s: {json.dumps(values)}")
    assert list(values) == keys
    assert all(value > 0 for value in values.values()), values
    assert seconds < QUICK_SECONDS * SLACK
