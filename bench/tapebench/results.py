"""The results: one JSON file a call, and the medians that tables and charts are made of.

{"format": 1, "bench", "created", "machine", "disk", "parameters", "missing_peers", "inputs", "runs", "checks", ...}.
`runs` holds every single run as tapebench.rounds made it; times in seconds, sizes in bytes.
"""

import json
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path

from tapebench.contenders import TAPEWORKS

FORMAT = 1


@dataclass(frozen=True)
class Summary:
    """The runs of one contender in one cell. Medians of the times, the largest of the memory peaks."""

    cell: dict[str, object]
    contender: str
    title: str
    runs: int
    failure: str
    wall_seconds: float | None = None  # as the process took, for tapeworks durable already
    durable_seconds: float | None = None  # with the synchronisation of the output
    durable_range: tuple[float, float] | None = None
    cpu_seconds: float | None = None
    peak_rss_bytes: int | None = None
    peak_anonymous_bytes: int | None = None
    written_bytes: int | None = None
    spilled_bytes: int | None = None
    output_bytes: int | None = None
    output_files: int | None = None


def new_results(bench: str, **fields: object) -> dict[str, object]:
    return {"format": FORMAT, "bench": bench, "created": datetime.now(timezone.utc).isoformat(timespec="seconds"), **fields}


def save(results: dict[str, object], path: Path) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(results, indent=1, default=str) + "\n")
    partial.rename(path)


def load(path: Path) -> dict[str, object]:
    results = json.loads(path.read_text())
    if results.get("format") != FORMAT:
        raise ValueError(f"{path} is no result file of this bench")
    return results


def _key(cell: dict[str, object], contender: str) -> tuple[object, ...]:
    return (*sorted(cell.items()), contender)


def summaries(records: Iterable[dict[str, object]]) -> list[Summary]:
    """In the order in which the pairs of cell and contender appear first."""
    grouped: dict[tuple[object, ...], list[dict[str, object]]] = {}
    for record in records:
        grouped.setdefault(_key(record["cell"], record["contender"]), []).append(record)
    return [_summary(runs) for runs in grouped.values()]


def _summary(runs: list[dict[str, object]]) -> Summary:
    good = [run for run in runs if "failure" not in run]
    failure = next((run["failure"] for run in runs if "failure" in run), "")
    first = runs[0]
    if not good:
        return Summary(first["cell"], first["contender"], first["title"], 0, failure)

    def median(name: str) -> float:
        return statistics.median(run[name] for run in good)

    def largest(name: str) -> int | None:
        return max((run[name] for run in good if run.get(name) is not None), default=None)

    durable = [run["durable_seconds"] for run in good]
    return Summary(
        first["cell"], first["contender"], first["title"], len(good), failure, median("wall_seconds"),
        median("durable_seconds"), (min(durable), max(durable)), median("cpu_seconds"), largest("peak_rss_bytes"),
        largest("peak_anonymous_bytes"), largest("written_bytes"), largest("spilled_bytes"), largest("output_bytes"),
        largest("output_files"),
    )


def find(found: list[Summary], contender: str = TAPEWORKS, **cell: object) -> Summary | None:
    """The first summary of `contender` whose cell has these values, if it did not fail."""
    for summary in found:
        fits = all(summary.cell.get(name) == value for name, value in cell.items())
        if summary.contender == contender and fits and summary.runs:
            return summary
    return None
