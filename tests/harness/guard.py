"""Ends what a server left when the run that owned it was killed: a process of its own for each.

It reads the server's folder from standard input, then waits for its end, which comes when the owner dies,
however it dies. The folder is no argument, or the guard would find itself among what it has to end.
"""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

from harness import processes


class Guard:
    def __init__(self, folder):
        self._process = subprocess.Popen([sys.executable, "-m", "harness.guard"], stdin=subprocess.PIPE, text=True,
                                         cwd=Path(__file__).resolve().parents[1], start_new_session=True)
        self._process.stdin.write(f"{folder}\n")
        self._process.stdin.flush()

    def dismiss(self):
        """The owner has cleaned up by itself."""
        self._process.kill()
        self._process.wait()
        self._process.stdin.close()


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the owner, and then it is our turn
    folder = sys.stdin.readline().strip()
    sys.stdin.read()
    if os.path.isdir(folder):
        processes.end_all(folder)
        if not os.environ.get("TARN_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
