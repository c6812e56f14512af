"""What the scripts of a clone say of themselves."""

import subprocess

import pytest
from harness.server import PROJECT_ROOT

SCRIPTS = sorted(path.name for path in (PROJECT_ROOT / "script").iterdir() if not path.suffix)


def run(*words):
    return subprocess.run([str(PROJECT_ROOT / "script" / words[0]), *words[1:]], capture_output=True, text=True, timeout=20)


@pytest.mark.parametrize("script", SCRIPTS)
def test_help_is_printed(script):
    for word in ("--help", "-h"):
        done = run(script, word)
        assert done.returncode == 0 and not done.stderr, done
        assert f"script/{script}" in done.stdout and "#" not in done.stdout, done.stdout
        assert "set -euo" not in done.stdout and len(done.stdout.splitlines()) > 2, done.stdout


@pytest.mark.parametrize("words", [("setup", "--nonsense"), ("quickstart", "--nonsense"), ("test", "nonsense"), ("soak", "nonsense"),
                                   ("soak",), ("connect",)])
def test_a_wrong_word_is_told_what_there_is(words):
    done = run(*words)
    assert done.returncode in (1, 2), done
    assert f"script/{words[0]}" in done.stderr or "choose from" in done.stderr, done
