"""The measuring loop: every entrant once a round, the order turned by one place each round.

Before an entrant runs, everything written so far is made durable (not timed). After it the same call is timed: that is
what durability costs a peer; tapeworks has paid for it already. Inputs stay in the page cache for all alike. Outputs
are emptied after each run; those of the first run are condensed for the comparison first. The empty files stay until
the end of the session, because ext4 searches past recently deleted inodes when files are created, so that whoever comes
next would pay (a fifth of the CPU time of a run with thousands of files) for the deletion of what came before.
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from tapebench.contenders import Contender, Setting, environment_of
from tapebench.inputs import run_helper
from tapebench.machine import flush_to_disk
from tapebench.outputs import size_of
from tapebench.places import Places
from tapebench.process import Limits, Measurement, last_line, run_measured
from tapebench.units import show_bytes, show_seconds


@dataclass(frozen=True)
class Entrant:
    """One contender in one cell. `cell` names the cell in the results: {"rows": 1000000, ...}."""

    cell: dict[str, object]
    contender: Contender
    setting: Setting

    @property
    def key(self) -> str:
        parts = [self.contender.name] + [f"{name}={value}" for name, value in sorted(self.cell.items())]
        return "".join(c if c.isalnum() or c in "=-." else "_" for c in "_".join(parts))


@dataclass(frozen=True)
class LoopOptions:
    repeat: int
    sample_symbols: int  # compared row by row
    limits: Limits


def stats_of(path: Path) -> dict[str, object]:
    """The JSON line of `tapeworks --stats`, or the one that a peer prints; nothing when there is none."""
    for line in reversed(path.read_text(errors="replace").splitlines()):
        if line.startswith("{"):
            try:
                return json.loads(line)
            except json.JSONDecodeError:
                continue
    return {}


def spilled_bytes(stats: dict[str, object]) -> int | None:
    """What tapeworks says it spilled; nothing when it does not say."""
    numbers = [value for name, value in _flat(stats) if "spill" in name and "bytes" in name]
    return sum(numbers) if numbers else None


def _flat(value: object, name: str = "") -> list[tuple[str, int]]:
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in _flat(inner, f"{name}.{key}")]
    if isinstance(value, list):
        return [pair for inner in value for pair in _flat(inner, name)]
    return [(name, value)] if isinstance(value, int) and not isinstance(value, bool) else []


def measure(places: Places, entrant: Entrant, round_number: int, options: LoopOptions) -> dict[str, object]:
    """One run, as it stands in the results."""
    folder = places.runs / f"{entrant.key}_round{round_number}"
    (folder / "temp").mkdir(parents=True)
    log_stem = places.logs / entrant.key
    log_stem = log_stem.with_name(log_stem.name + ".log")
    flush_to_disk(places.work_folder)
    measured = run_measured(
        entrant.contender.command(places, entrant.setting, folder), environment=environment_of(entrant.setting.threads),
        folder=folder, log_stem=log_stem,
        limits=Limits(options.limits.resident_bytes, options.limits.wall_seconds, entrant.setting.threads),
    )
    flush_seconds = flush_to_disk(places.work_folder)
    output = folder / entrant.contender.output
    record = _record(entrant, round_number, measured, flush_seconds, log_stem)
    if not measured.failed:
        record["output_files"], record["output_bytes"] = size_of(output)
        if round_number == 0 and options.sample_symbols:
            condense(places, entrant, output, options.sample_symbols)
    empty_files(folder)
    return record


def empty_files(folder: Path, linked_elsewhere: bool = True) -> None:
    """Gives the space of all files below `folder` back, but not the files: ext4 is slow to make new ones for minutes after
    many were deleted (it looks at each inode that was freed lately). `linked_elsewhere`: also of those with a second name."""
    for path in folder.rglob("*"):
        if path.is_file() and not path.is_symlink() and (linked_elsewhere or path.stat().st_nlink == 1):
            os.truncate(path, 0)


def _record(entrant: Entrant, round_number: int, measured: Measurement, flush_seconds: float,
            log_stem: Path) -> dict[str, object]:
    durable = entrant.contender.makes_durable
    stats = stats_of(log_stem.with_suffix(".err")) or stats_of(log_stem.with_suffix(".out"))
    record = {
        "cell": entrant.cell, "contender": entrant.contender.name, "title": entrant.contender.title,
        "round": round_number, **asdict(measured), "cpu_seconds": measured.cpu_seconds,
        "sync_seconds": None if durable else flush_seconds,
        "durable_seconds": measured.wall_seconds + (0.0 if durable else flush_seconds),
        "spilled_bytes": spilled_bytes(stats), "stats": stats,
    }
    if measured.failed:
        record["failure"] = measured.stopped_because or last_line(log_stem.with_suffix(".err")) or "no message"
    return record


def digest_paths(places: Places, entrant: Entrant) -> tuple[Path, Path]:
    return places.checks / f"{entrant.key}.json", places.checks / f"{entrant.key}.parquet"


def condense(places: Places, entrant: Entrant, output: Path, sample_symbols: int) -> None:
    places.checks.mkdir(parents=True, exist_ok=True)
    run_helper("digest", output, *digest_paths(places, entrant), sample_symbols)


def announce(entrant: Entrant, record: dict[str, object], rounds: int, varying: set[str]) -> None:
    where = ", ".join(f"{name} {value}" for name, value in entrant.cell.items() if name in varying)
    cost = record.get("failure") or (f"{show_seconds(record['durable_seconds'])}, "
                                     f"{show_seconds(record['cpu_seconds'])} CPU, {show_bytes(record['peak_rss_bytes'])}")
    print(f"  {record['round'] + 1}/{rounds} {entrant.contender.title:<34} {where}{': ' if where else ''}{cost}", flush=True)


def run_rounds(places: Places, entrants: list[Entrant], options: LoopOptions) -> list[dict[str, object]]:
    """All runs. Who failed once is not asked again."""
    records: list[dict[str, object]] = []
    out: set[str] = set()
    varying = {name for entrant in entrants for name, value in entrant.cell.items() if value != entrants[0].cell[name]}
    for round_number in range(options.repeat):
        turn = round_number % len(entrants)
        for entrant in entrants[turn:] + entrants[:turn]:
            if entrant.key in out:
                continue
            record = measure(places, entrant, round_number, options)
            announce(entrant, record, options.repeat, varying)
            records.append(record)
            if "failure" in record:
                out.add(entrant.key)
    return records


def check(places: Places, reference: Entrant, others: list[Entrant]) -> dict[str, dict[str, object]]:
    """Compares the first output of each entrant with that of `reference`; keys are the entrants' keys."""
    found = {}
    for entrant in others:
        paths = [*digest_paths(places, entrant), *digest_paths(places, reference)]
        if all(path.exists() for path in paths):
            found[entrant.key] = {"cell": entrant.cell, "contender": entrant.contender.name,
                                  **json.loads(run_helper("agreement", *paths))}
    return found
