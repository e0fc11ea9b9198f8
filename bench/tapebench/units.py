"""Sizes and counts as people write them."""

import re

_SIZES = {"B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_COUNTS = {"": 1, "k": 10**3, "M": 10**6, "G": 10**9}


def parse_bytes(text: str) -> int:
    """'512MiB' -> 536870912."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)(B|KiB|MiB|GiB|TiB)", text)
    if match is None:
        raise ValueError(f"'{text}' is no size; write 512MiB or 2GiB")
    return round(float(match[1]) * _SIZES[match[2]])


def parse_count(text: str) -> int:
    """'10M' -> 10000000, '2.08G' -> 2080000000."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)([kMG]?)", text.replace("_", ""))
    if match is None:
        raise ValueError(f"'{text}' is no number of rows; write 1000000, 10M or 2.08G")
    return round(float(match[1]) * _COUNTS[match[2]])


def show_bytes(count: float | None) -> str:
    if count is None:
        return "-"
    for unit, size in (("GiB", 2**30), ("MiB", 2**20), ("KiB", 2**10)):
        if count >= size:
            return f"{count / size:.3g} {unit}" if count < 100 * size else f"{count / size:,.0f} {unit}"
    return f"{count:.0f} B"


def show_count(count: float) -> str:
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= size:
            return f"{count / size:.4g} {unit}"
    return f"{count:.4g}"


def show_seconds(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.2f} s" if seconds < 100 else f"{seconds:.0f} s"
