"""Tables for the terminal that are Markdown at the same time."""

import re
import unicodedata
from collections.abc import Sequence

from tapebench.contenders import OURS, TAPEWORKS
from tapebench.results import Summary, find
from tapebench.units import show_bytes, show_count, show_seconds


def markdown(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """The first column to the left, the others to the right, all padded."""
    columns = list(zip(header, *rows))
    widths = [max(map(_width, column)) for column in columns]
    lines = [_line(header, widths), _line(["-" * widths[0]] + ["-" * (w - 1) + ":" for w in widths[1:]], widths)]
    return "\n".join(lines + [_line(row, widths) for row in rows])


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    padded = [cell + " " * (w - _width(cell)) if i == 0 else " " * (w - _width(cell)) + cell
              for i, (cell, w) in enumerate(zip(cells, widths))]
    return "| " + " | ".join(padded) + " |"


def times(value: float | None, base: float | None) -> str:
    """How many times `base` it is."""
    return f"{value / base:.2f}x" if value is not None and base else "-"


def brief(failure: str) -> str:
    """The words of an error message that say most."""
    return re.split(r"(?:Exception|Error): ", failure)[-1][:60].replace("|", "/")


def verdict_of(check: dict[str, object] | None, summary: Summary) -> str:
    """What the comparison of the outputs found."""
    if summary.failure:
        return f"failed: {brief(summary.failure)}"
    if check is None:
        return "reference" if summary.contender == TAPEWORKS else "not compared"
    if not check["agrees"]:
        return "DIFFERS"
    notes = []
    if check["unsorted_symbols"]:
        notes.append("not sorted")
    if check["symbols_in_many_files"]:
        notes.append(f"{check['symbols_in_many_files']} symbols in many files")
    return "agrees" + (f" ({', '.join(notes)})" if notes else "")


def side_by_side(found: list[Summary], checks: dict[str, dict[str, object]]) -> str:
    """The table of one cell: every contender beside tapeworks."""
    ours = find(found)
    by_contender = {check["contender"]: check for check in checks.values()}
    header = ("contender", "wall, durable", "range", "without sync", "CPU", "peak memory", "not of files",
              "output", "files", "written", "ratio", "ratio without sync", "result")
    rows = []
    for summary in sorted(found, key=lambda s: (s.durable_seconds is None, s.durable_seconds)):
        low_high = "-".join(f"{seconds:.2f}" for seconds in summary.durable_range or ())
        unsynced = None if summary.contender in OURS else summary.wall_seconds
        base = ours.durable_seconds if ours else None
        rows.append((
            summary.title, show_seconds(summary.durable_seconds), low_high or "-", show_seconds(unsynced),
            show_seconds(summary.cpu_seconds), show_bytes(summary.peak_rss_bytes), show_bytes(summary.peak_anonymous_bytes),
            show_bytes(summary.output_bytes), str(summary.output_files or "-"), show_bytes(summary.written_bytes),
            times(summary.durable_seconds, base), times(unsynced, base),
            verdict_of(by_contender.get(summary.contender), summary)))
    return markdown(header, rows)


def by_cell(found: list[Summary], axes: Sequence[str], base: Summary | None) -> str:
    """One line a cell and contender; `base` is what the ratios are of."""
    header = (*axes, "contender", "wall, durable", "CPU", "rows a second", "peak memory", "output", "written", "spilled", "ratio")
    rows = []
    for summary in found:
        rate = summary.cell["rows"] / summary.durable_seconds if summary.durable_seconds else None
        rows.append((
            *(show_cell(axis, summary.cell.get(axis)) for axis in axes), summary.title,
            brief(summary.failure) or show_seconds(summary.durable_seconds), show_seconds(summary.cpu_seconds),
            show_count(rate) if rate else "-", show_bytes(summary.peak_rss_bytes), show_bytes(summary.output_bytes),
            show_bytes(summary.written_bytes), show_bytes(summary.spilled_bytes),
            times(summary.durable_seconds, base.durable_seconds if base else None)))
    return markdown(header, rows)


def show_cell(axis: str, value: object) -> str:
    if axis == "rows":
        return show_count(value)
    if axis == "memory_bytes":
        return show_bytes(value)
    return str(value)
