"""Runs the snippets in one namespace, as a notebook would, and prints what each did as one JSON line.

    run_snippets.py PROJECT_ID MAJOR

Run by the interpreter of the SDK release under test; host and token come from the environment.
"""

import contextlib
import io
import json
import sys
import time
import traceback
from pathlib import Path

import databricks.sdk.version


def main():
    project_id, major = sys.argv[1:]
    namespace = {"__name__": "notebook"}
    results = {"sdk": databricks.sdk.version.__version__}
    for path in sorted(Path(__file__).with_name("snippets").glob("*.py")):
        code = path.read_text().replace("my-app", project_id).replace('"17"', f'"{major}"')
        printed, error, started = io.StringIO(), None, time.monotonic()
        try:
            with contextlib.redirect_stdout(printed):
                exec(compile(code, path.name, "exec"), namespace)
        except Exception:
            error = traceback.format_exc()
        results[path.stem] = {"error": error, "printed": printed.getvalue(),
                              "ms": round((time.monotonic() - started) * 1000)}
    results["token"] = namespace.get("token")
    print(json.dumps(results))


if __name__ == "__main__":
    main()
