"""Ends what a server left when the test run that owned it was killed: run by Server, one for each.

Reads the server's folder from standard input, then waits for its end, which comes when the owner dies,
however it dies. The folder is no argument, or the guard would find itself among what it has to end.
"""

import os
import shutil
import signal
import sys

from harness import processes

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C ends the owner, and then it is our turn
    folder = sys.stdin.readline().strip()
    sys.stdin.read()
    if os.path.isdir(folder):
        processes.kill_all(folder)
        if not os.environ.get("TARN_KEEP"):
            shutil.rmtree(folder, ignore_errors=True)
