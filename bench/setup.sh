#!/usr/bin/env bash
# Makes the Python environments of the benchmark; a second call finds them in place and ends at once.
#
#   bench/setup.sh           build/bench-venv: the peers, pinned in bench/requirements.txt
#   bench/setup.sh recorder  also build/bench-recorder-venv: cryptofeed, for `recorder.py cryptofeed`
#   bench/setup.sh tpch      also build/bench-tpch-venv: dbgen, for `compare.py tpch`
#
# A peer that cannot be installed is named and left out; the bench then says that it is missing.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "bench/setup: $*" >&2; }
give_up() { say "$*"; exit 1; }

# The packages without which nothing can be made, compared or drawn. The others are peers.
needed=(numpy pyarrow matplotlib duckdb-extension-tpch)

make_environment() { # FOLDER
  "$1/bin/python" -c '' 2>/dev/null && return
  say "making $1"
  python3 -m venv --clear "$1" || give_up "python3 -m venv failed; on Debian install python3-venv."
}

install() { "$1/bin/python" -m pip install --quiet --disable-pip-version-check "${@:2}" >&2 </dev/null; }

install_one_by_one() { # FOLDER REQUIREMENTS; true when nothing is missing
  local line missing=0
  while read -r line; do
    [[ -n $line && $line != \#* ]] || continue
    install "$1" "$line" && continue
    [[ " ${needed[*]} " != *" ${line%%=*} "* ]] || give_up "$line could not be installed; nothing works without it."
    say "MISSING: $line could not be installed; the bench runs without it."
    missing=1
  done <"$2"
  return "$missing"
}

prepare() { # FOLDER REQUIREMENTS
  local stamp=$1/requirements.sha256 wanted
  wanted=$(sha256sum <"$2")
  if [[ -f $stamp && $(<"$stamp") == "$wanted" ]] && "$1/bin/python" -c '' 2>/dev/null; then
    return
  fi
  make_environment "$1"
  say "installing the packages of $2"
  if install "$1" -r "$2" || install_one_by_one "$1" "$2"; then
    printf '%s' "$wanted" >"$stamp"
  fi
}

prepare build/bench-venv bench/requirements.txt
case ${1:-} in
  '') ;;
  recorder) prepare build/bench-recorder-venv bench/requirements-recorder.txt ;;
  tpch) prepare build/bench-tpch-venv bench/requirements-tpch.txt ;;
  *) give_up "unknown argument '$1'; use none, recorder or tpch." ;;
esac
