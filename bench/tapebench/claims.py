"""What this project says about its speed, each tested on the results of one bench.

A claim that the results cannot judge (a cell was not run, a contender failed) is left out.
"""

from collections.abc import Iterator

from tapebench.claim import Claim, at_least, at_most
from tapebench.contenders import OURS, PEERS, TAPEWORKS, TAPEWORKS_RUN
from tapebench.inputs import FULL_ROWS
from tapebench.results import Summary, find, summaries
from tapebench.units import show_bytes


def fastest_peer(found: list[Summary], **cell: object) -> Summary | None:
    peers = [peer for name in PEERS if (peer := find(found, name, **cell))]
    return min(peers, key=lambda peer: peer.durable_seconds, default=None)


def _ratio_to_peer(found: list[Summary], limit: float, what: str, **cell: object) -> Iterator[Claim]:
    ours, peer = find(found, **cell), fastest_peer(found, **cell)
    if ours and peer:
        yield at_least(f"{what}: the fastest peer ({peer.title}) over tapeworks, both durable",
                       peer.durable_seconds / ours.durable_seconds, limit)
        yield at_least(f"{what}: the same, the peer without sync", peer.wall_seconds / ours.durable_seconds, limit)


def _memory(found: list[Summary], results: dict[str, object]) -> Iterator[Claim]:
    """One claim for each of our contenders, about the cell in which it came nearest to its limit."""
    limit = results["parameters"]["memory_bytes"]
    for name in OURS:
        ours = [(summary.peak_rss_bytes, summary.cell.get("memory_bytes", limit)) for summary in found
                if summary.contender == name and summary.runs]
        if ours:
            peak, allowed = max(ours, key=lambda pair: pair[0] / pair[1])
            yield Claim(f"{name}: resident within --memory in all {len(ours)} cells",
                        f"at worst {show_bytes(peak)} of {show_bytes(allowed)}", peak <= allowed)


def _etl(found: list[Summary], results: dict[str, object]) -> Iterator[Claim]:
    order = (results["inputs"][0].get("shape") or {}).get("order", "date")
    yield from _ratio_to_peer(found, 7 if order == "date" else 4, "etl")
    yield from _memory(found, results)
    ours, with_pnl = find(found), find(found, TAPEWORKS_RUN)
    if ours and with_pnl:
        yield at_most("run over etl", with_pnl.durable_seconds / ours.durable_seconds, 1.35)


def _full_scale(found: list[Summary]) -> Iterator[Claim]:
    rows = max((s.cell["rows"] for s in found if s.cell["axis"] == "rows" and s.runs), default=0)
    ours, with_pnl = (find(found, name, axis="rows", rows=rows) for name in (TAPEWORKS, TAPEWORKS_RUN))
    if rows:
        yield Claim("all 2.08 G rows", f"{rows:,} rows", rows >= FULL_ROWS)
    if ours and with_pnl:
        yield at_most(f"run over etl, {rows:,} rows", with_pnl.durable_seconds / ours.durable_seconds, 1.35)


def _growth(found: list[Summary], results: dict[str, object]) -> Iterator[Claim]:
    yield from _full_scale(found)
    tight, wide = find(found, axis="memory", memory_bytes=512 << 20), find(found, axis="memory", memory_bytes=8 << 30)
    if tight and wide:
        yield at_most("etl with 512 MiB over 8 GiB", tight.durable_seconds / wide.durable_seconds, 1.4)
    ordered, shuffled = find(found, axis="order", order="date"), find(found, axis="order", order="shuffled")
    if ordered and shuffled:
        yield at_most("shuffled over ordered", shuffled.durable_seconds / ordered.durable_seconds, 2.5)
    yield from _ratio_to_peer(found, 4, "shuffled", axis="order", order="shuffled")
    yield from _memory(found, results)


def _formats(found: list[Summary], _: dict[str, object]) -> Iterator[Claim]:
    ours = [summary for summary in found if summary.contender == TAPEWORKS and summary.runs]
    plain = [summary for summary in ours if "plain" in summary.cell["variant"]]
    others = [summary for summary in ours if summary not in plain]
    if not others:
        return
    fastest = min(others, key=lambda summary: summary.durable_seconds)
    slowest = max(others, key=lambda summary: summary.durable_seconds)
    yield at_most(f"slowest writer ({slowest.cell['variant']}) over the fastest ({fastest.cell['variant']})",
                  slowest.durable_seconds / fastest.durable_seconds, 1.3)
    for summary in plain:
        yield at_most(f"{summary.cell['variant']} over the fastest", summary.durable_seconds / fastest.durable_seconds, 2.5)


def _pnl(_: list[Summary], results: dict[str, object]) -> Iterator[Claim]:
    rates = results["rates"]
    yield Claim("pnl: at least 15 M groups a second", f"{rates['tapeworks_groups_per_second'] / 1e6:.2f} M",
                rates["tapeworks_groups_per_second"] >= 15e6)
    yield at_least("pnl over the plain Python FIFO, groups per CPU second", rates["ratio_to_today"], 200)


def _increment(found: list[Summary], _: dict[str, object]) -> Iterator[Claim]:
    rows = max((summary.cell["rows"] for summary in found if summary.runs), default=0)
    full, increment = find(found, "full", rows=rows), find(found, "increment", rows=rows)
    if full and increment:
        yield at_most(f"one day more over a full run, {rows:,} rows", increment.durable_seconds / full.durable_seconds, 0.4)


def _tpch(found: list[Summary], results: dict[str, object]) -> Iterator[Claim]:
    yield from _memory(found, results)


JUDGES = {"etl": _etl, "growth": _growth, "formats": _formats, "pnl": _pnl, "increment": _increment,
          "tpch": _tpch}


def claims_of(results: dict[str, object]) -> list[Claim]:
    found = summaries(results["runs"])
    judged = list(JUDGES[results["bench"]](found, results))
    checks = results.get("checks", {}).values()
    if checks:
        wrong = [f"{check['contender']} {check['cell']}" for check in checks if not check["agrees"]]
        judged.append(Claim("all results agree", "yes" if not wrong else "no: " + "; ".join(wrong), not wrong))
    return judged
