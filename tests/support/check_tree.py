"""Checks the habits of this tree that no compiler checks. Prints each offence with its remedy."""

import os
import re
import subprocess
import sys
from pathlib import Path

SOURCE_SUFFIXES = {".cpp", ".h", ".py", ".sh", ".cmake"}
LINES_MAX = 700

# Spelled so that this file does not find itself.
LEFT_OPEN = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HA" r"CK)\b")
REGISTRY_HOSTS = re.compile(
    r"pypi[.]org|pythonho" r"sted[.]|crates[.]io|registry[.]npmjs|proxy[.]golang|deb[.]debian[.]org|security[.]debian|"
    r"repo\d?[.]maven"
)
MACHINE_PATHS = re.compile(r"(?:^|[^\w.$}])/(?:work|farm|root|home/\w+)/")


def tracked_files(root: Path) -> list[Path]:
    """What a commit would hold: tracked files and new ones that are not ignored."""
    answer = subprocess.run(
        ["git", "-C", str(root), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, check=False,
    )
    if answer.returncode != 0:  # an unpacked archive
        skipped = {".git", ".venv", "build"}
        return [p for p in root.rglob("*") if p.is_file() and not skipped & set(p.relative_to(root).parts)]
    paths = [root / name for name in answer.stdout.decode().split("\0") if name]
    return [p for p in paths if p.is_file() and not p.is_symlink()]


def text_of(path: Path) -> str | None:
    content = path.read_bytes()
    if b"\0" in content:
        return None
    try:
        return content.decode()
    except UnicodeDecodeError:
        return None


def offences_in_text(name: str, suffix: str, text: str) -> list[str]:
    found = []
    lines = text.splitlines()
    if suffix in SOURCE_SUFFIXES and len(lines) > LINES_MAX:
        found.append(f"{name}: {len(lines)} lines; over {LINES_MAX} it is no longer one thing, split it")
    if suffix == ".h" and "#pragma once" not in lines:
        found.append(f"{name}: a header begins with #pragma once")
    for number, line in enumerate(lines, start=1):
        if suffix in SOURCE_SUFFIXES and LEFT_OPEN.search(line):
            found.append(f"{name}:{number}: left open; finish it, or say in the documentation what is not done")
        if REGISTRY_HOSTS.search(line):
            found.append(f"{name}:{number}: names the host of a package registry; name the package only")
        if MACHINE_PATHS.search(line):
            found.append(f"{name}:{number}: an absolute path of one machine; make it relative")
    return found


def command_names(root: Path) -> list[str]:
    return re.findall(r'\{\s*"([a-z-]+)"\s*,\s*"', (root / "src/cli/command_list.cpp").read_text())


def offences_in_documentation(root: Path) -> list[str]:
    names = command_names(root)
    if not names:
        return ["src/cli/command_list.cpp: no command found; tests/support/check_tree.py reads {\"name\", \"summary\", ...}"]
    wanted = [f"man/tapeworks-{name}.1" for name in names] + [f"docs/commands/{name}.md" for name in names]
    return [f"{path}: missing; every command has a manual page and a page in docs/commands" for path in wanted
            if not (root / path).is_file()]


def forgotten_suites(root: Path, files: list[Path]) -> list[str]:
    registered = set(re.findall(r"^tapeworks_suite\(\w+ (\S+\.py) \d+\)", (root / "tests/CMakeLists.txt").read_text(), re.MULTILINE))
    suites = {os.path.relpath(path, root / "tests") for path in files if path.name.startswith("test_") and path.suffix == ".py"}
    return [f"{suite}: nobody runs it; name it in tests/CMakeLists.txt" for suite in sorted(suites - registered)]


def main() -> int:
    root = Path(sys.argv[1])
    files = tracked_files(root)
    offences = offences_in_documentation(root) + forgotten_suites(root, files)
    for path in files:
        name = path.relative_to(root).as_posix()
        if name == "LICENSE" or name.startswith("tests/data/"):
            continue
        if (text := text_of(path)) is not None:
            offences += offences_in_text(name, path.suffix, text)
    print("\n".join(offences) or f"{len(files)} files, nothing to mend")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
