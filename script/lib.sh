# lib.sh: what the project's scripts share; sourced by them, never run.
#
# Every script stops at the first failure and says what to do next. Nothing here writes outside
# build/ and TARN_HOME.

project=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

# Where things live that outlast a build: PostgreSQL binaries, the installed program, the data of the
# quickstart. For root it must be a place that the unprivileged user of the computes can read, which
# a project below /root is not.
if [[ -z ${TARN_HOME:-} ]]; then
  if [[ $EUID == 0 ]]; then TARN_HOME=/var/lib/tarn; else TARN_HOME=${HOME:?HOME is not set}/.tarn; fi
fi
export TARN_HOME

python_newest=$project/build/venv/sdk-newest/bin/python
python_081=$project/build/venv/sdk-0.81.0/bin/python

say() { printf '\033[1m==> %s\033[0m\n' "$*"; }
note() { printf '    %s\n' "$*"; }

# die WHAT NEXT...: one line on what failed, then a line for each thing to do about it.
die() {
  printf 'error: %s\n' "$1" >&2
  shift
  local next
  for next in "$@"; do printf '  next: %s\n' "$next" >&2; done
  exit 1
}

# usage: what the calling script's head says.
usage() { sed -n '2,/^[^#]/ { s/^# \?//p }' "${BASH_SOURCE[1]}"; }

# quietly LOG NEXT COMMAND...: runs COMMAND with its output in LOG; shows the log's end if it fails.
quietly() {
  local log=$1 next=$2
  shift 2
  mkdir -p "$(dirname "$log")"
  if ! "$@" >"$log" 2>&1 </dev/null; then
    tail -n 25 "$log" >&2
    die "this failed: $*" "$next" "the whole output is in $log"
  fi
}

# The directory that holds bin/postgres of a major, in the order in which the server looks; fails if none.
postgres_of() {
  local candidate
  for candidate in ${TARN_PG_DIR:+"$TARN_PG_DIR/$1"} "/usr/lib/postgresql/$1" "$TARN_HOME/postgres/$1"; do
    if [[ -x $candidate/bin/postgres && -x $candidate/bin/initdb ]]; then
      printf '%s\n' "$candidate"
      return 0
    fi
  done
  return 1
}
