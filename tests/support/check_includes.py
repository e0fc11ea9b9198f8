"""Checks that includes go one way: base <- storage <- engine, bigquery <- pipeline <- cli, and base <- recorder/* <- cli.

Also checks that the shared core knows no market, and that only `storage` changes files. Prints each
offence with the remedy; exits with 1 when there is one.
"""

import re
import sys
from pathlib import Path

MAY_INCLUDE = {
    "base": {"base"},
    "storage": {"storage", "base"},
    "bigquery": {"bigquery", "storage", "base"},
    "engine": {"engine", "storage", "base"},
    "pipeline": {"pipeline", "engine", "bigquery", "storage", "base"},
    "recorder/protocol": {"recorder/protocol", "base"},
    "recorder/config": {"recorder/config", "recorder/protocol", "recorder/net", "base"},
    "recorder/net": {"recorder/net", "base"},
    "recorder/simulator": {"recorder/simulator", "recorder/net", "storage", "base"},
    "recorder/sink": {"recorder/sink", "recorder/protocol", "storage", "base"},
    "recorder": {"recorder", "recorder/protocol", "recorder/config", "recorder/net", "recorder/sink", "storage", "base"},
    "recorder/simulation": {"recorder/simulation", "recorder/simulator", "recorder", "recorder/protocol", "recorder/config", "recorder/net",
                            "recorder/sink", "storage", "base"},
    "cli": {"cli", "recorder", "recorder/config", "recorder/protocol", "recorder/simulator", "recorder/sink", "pipeline",
            "bigquery", "engine", "storage", "base"},
}

# Third-party headers that stop at a folder: prefix -> the folders that may include it.
THIRD_PARTY = {
    "arrow/filesystem/": {"storage"},
    "arrow/": {"storage", "bigquery", "engine", "pipeline", "recorder", "recorder/sink", "recorder/simulation", "cli"},
    "parquet/": {"storage", "pipeline"},
    "arrow-adbc/": {"storage"},
    "CLI/": {"cli"},
    "curl/": {"bigquery"},
    "rapidjson/": {"bigquery", "recorder/protocol"},
    "toml++/": {"recorder/config"},
    "boost/asio": {"recorder/net"},
    "boost/beast": {"recorder/net"},
    "openssl/": {"bigquery", "recorder/net"},
}

MARKET_WORDS = re.compile(r"(?<![a-z])(broker|brokers|symbol|symbols|ticker|stock|stocks|pnl)(?![a-z])", re.I)

# Calls that create, rename or delete files. Reading and asking are free for everybody.
CHANGES_FILES = re.compile(
    r"std::ofstream|std::fopen|\bfopen\(|\bO_CREAT\b|\bO_WRONLY\b|\bO_RDWR\b|::rename\(|::unlink\(|\brename\(|"
    r"\bunlink\(|std::filesystem::(?:create_|remove|rename|copy|resize_)|fs::(?:create_|remove|rename|copy|resize_)|"
    r"FileOutputStream::Open"
)
LAYERS_THAT_MUST_NOT_CHANGE_FILES = {
    "base", "bigquery", "engine", "pipeline", "cli", "recorder", "recorder/protocol", "recorder/config", "recorder/net", "recorder/simulator",
    "recorder/sink", "recorder/simulation"}

INCLUDE = re.compile(r'^\s*#\s*include\s*(["<])([^">]+)[">]')


def without_comments(text: str) -> str:
    """The source with comments blanked out, so that prose may say what it likes."""
    text = re.sub(r"/\*.*?\*/", lambda m: "\n" * m.group().count("\n"), text, flags=re.S)
    return re.sub(r"//[^\n]*", "", text)


def layer_of(path: str) -> str:
    """The layer of a path below src/: its first folder, or its first two where those are one in the table."""
    parts = path.split("/")
    nested = "/".join(parts[:2])
    return nested if nested in MAY_INCLUDE else parts[0]


def offences_of(path: Path, source_root: Path) -> list[str]:
    relative = path.relative_to(source_root)
    layer = layer_of(relative.as_posix())
    if layer not in MAY_INCLUDE:
        return [f"{relative}: the folder src/{layer} is not in the table of tests/support/check_includes.py; add it there"]
    is_test = path.stem.endswith(("_test", "_fuzz", "_bench", "_test_support"))
    raw = path.read_text()
    code = without_comments(raw)
    found = []
    for number, line in enumerate(code.splitlines(), start=1):
        where = f"src/{relative}:{number}"
        if include := INCLUDE.match(line):
            quote, name = include.groups()
            folder = layer_of(name)
            if quote == '"' and "/" in name and folder in MAY_INCLUDE and folder not in MAY_INCLUDE[layer]:
                found.append(f"{where}: {layer} includes {name}; includes go downwards only, move the code or pass it in")
            for prefix, layers in THIRD_PARTY.items():
                if name.startswith(prefix) and layer not in layers and not is_test:
                    found.append(f"{where}: {name} stops at {', '.join(sorted(layers))}; wrap what {layer} needs there")
        if layer in LAYERS_THAT_MUST_NOT_CHANGE_FILES and not is_test and CHANGES_FILES.search(line):
            found.append(f"{where}: only storage creates, renames or deletes files; call a function of storage")
    if layer in {"storage", "bigquery", "engine"} and not is_test:
        # Comments count here: a shared core that is explained in words of one market serves one market.
        for number, line in enumerate(raw.splitlines(), start=1):
            if word := MARKET_WORDS.search(line.replace("_", " ")):
                found.append(f"src/{relative}:{number}: '{word.group()}' is a word of the market; {layer} knows none, use a neutral one")
    return found


def main() -> int:
    source_root = Path(sys.argv[1]) / "src"
    sources = sorted(p for p in source_root.rglob("*") if p.suffix in {".h", ".cpp"})
    if not sources:
        print(f"no sources below {source_root}")
        return 1
    offences = [offence for path in sources for offence in offences_of(path, source_root)]
    print("\n".join(offences) or f"{len(sources)} files, all includes go downwards")
    return 1 if offences else 0


if __name__ == "__main__":
    sys.exit(main())
