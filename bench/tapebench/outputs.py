"""Finds the files of an output, however its writer lays them out.

Two layouts: SYMBOL.parquet, and COLUMN=SYMBOL/ANYTHING.parquet with the symbol percent-encoded.
"""

from pathlib import Path
from urllib.parse import unquote


def symbol_files(folder: Path) -> dict[str, list[Path]]:
    """Symbol -> its files, in the order of their names."""
    found: dict[str, list[Path]] = {}
    for path in sorted(folder.rglob("*.parquet")):
        parent = path.parent.name
        symbol = unquote(parent.split("=", 1)[1]) if "=" in parent and path.parent != folder else path.stem
        found.setdefault(symbol, []).append(path)
    return found


def size_of(folder: Path) -> tuple[int, int]:
    """(files, bytes) of the Parquet files below `folder`."""
    sizes = [path.stat().st_size for path in folder.rglob("*.parquet")]
    return len(sizes), sum(sizes)
