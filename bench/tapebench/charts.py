"""Draws the charts of one result file as SVG; runs as a child.

    python -m tapebench.charts RESULTS.json FOLDER STEM       prints a line for each chart: file name, tab, caption

The same results give the same bytes.
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import matplotlib

matplotlib.use("svg")
import matplotlib.pyplot as plt  # noqa: E402
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter  # noqa: E402

from tapebench.contenders import OURS, TAPEWORKS  # noqa: E402
from tapebench.results import Summary, load, summaries  # noqa: E402
from tapebench.units import show_bytes, show_count  # noqa: E402

Chart = tuple[str, str, plt.Figure]  # end of the file name, caption, figure

OURS_COLOUR, PEER_COLOUR, SYNC_COLOUR = "#c2410c", "#94a3b8", "#475569"
LINE_COLOURS = {"tapeworks": "#c2410c", "tapeworks-run": "#f59e0b", "full": "#f59e0b", "increment": "#c2410c", "polars-streaming": "#2563eb",
                "polars-batches": "#60a5fa", "polars-sink": "#1e3a8a", "duckdb-copy": "#16a34a",
                "datafusion-copy": "#9333ea", "chdb-partition": "#64748b"}
STYLE = {"svg.fonttype": "none", "svg.hashsalt": "tapeworks", "font.size": 9, "axes.spines.top": False,
         "axes.spines.right": False, "figure.facecolor": "white"}


def bars(axes: plt.Axes, names: list[str], values: list[float], ours: list[bool], show) -> None:
    """Horizontal bars, the first on top, each with its number."""
    axes.barh(names, values, color=[OURS_COLOUR if mine else PEER_COLOUR for mine in ours])
    axes.invert_yaxis()
    for place, value in enumerate(values):
        axes.text(value, place, f" {show(value)}", va="center")
    axes.margins(x=0.18)


def side_by_side(found: list[Summary]) -> Iterator[Chart]:
    """Wall time, its part for the synchronisation told apart, beside the peak of memory."""
    good = sorted((s for s in found if s.runs), key=lambda s: s.durable_seconds)
    if not good:
        return
    names, ours = [s.title for s in good], [s.contender in OURS for s in good]
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 0.4 * len(good) + 1.1), sharey=True, layout="constrained")
    bars(left, names, [s.durable_seconds for s in good], ours, lambda v: f"{v:.3g} s")
    synced = [s.durable_seconds - s.wall_seconds for s in good]
    left.barh(names, synced, left=[s.wall_seconds for s in good], color=SYNC_COLOUR)
    left.set_xlabel("wall time, output durable (dark: the sync of the peers), s")
    right.barh(names, [s.peak_rss_bytes for s in good], color=[OURS_COLOUR if mine else PEER_COLOUR for mine in ours])
    for place, summary in enumerate(good):
        right.text(summary.peak_rss_bytes, place, f" {show_bytes(summary.peak_rss_bytes)}", va="center")
    right.margins(x=0.2)
    right.set_xticks([])  # the numbers stand at the bars
    right.set_xlabel("peak of the resident memory")
    yield "bars", f"wall time and memory, {show_count(good[0].cell['rows'])} rows", figure


def line_chart(found: list[Summary], column: str, value, label: str, show) -> plt.Figure:
    """One line a contender over `column` of the cells, a tick for each cell; both axes logarithmic."""
    figure, axes = plt.subplots(figsize=(6.5, 4.2), layout="constrained")
    for name in dict.fromkeys(summary.contender for summary in found):
        points = sorted((s.cell[column], value(s), s.title) for s in found if s.contender == name and s.runs)
        if points:
            axes.plot([p[0] for p in points], [p[1] for p in points], marker="o", label=points[0][2],
                      color=LINE_COLOURS.get(name), linewidth=2.2 if name == TAPEWORKS else 1.2)
    axes.set(xscale="log", yscale="log", ylabel=label)
    places = sorted({summary.cell[column] for summary in found})
    axes.set_xticks(places, [show(place) for place in places])
    axes.yaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_minor_formatter(NullFormatter())
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.grid(alpha=0.25, which="both", linewidth=0.5)
    axes.legend(frameon=False, fontsize=8)
    return figure


def growth(found: list[Summary]) -> Iterator[Chart]:
    by_rows = [summary for summary in found if summary.cell["axis"] == "rows"]
    if len({summary.cell["rows"] for summary in by_rows}) > 1:
        for ending, value, label in (("time", lambda s: s.durable_seconds, "wall time, output durable, s"),
                                     ("memory", lambda s: s.peak_rss_bytes, "peak of the resident memory")):
            figure = line_chart(by_rows, "rows", value, label, show_count)
            figure.axes[0].set_xlabel("rows of the input")
            if ending == "memory":
                figure.axes[0].yaxis.set_major_locator(LogLocator(base=2))
                figure.axes[0].yaxis.set_major_formatter(FuncFormatter(lambda y, _: show_bytes(y)))
            yield f"rows-{ending}", f"{label} against rows", figure
    by_memory = [summary for summary in found if summary.cell["axis"] == "memory"]
    if len({summary.cell["memory_bytes"] for summary in by_memory}) > 1:
        figure = line_chart(by_memory, "memory_bytes", lambda s: s.durable_seconds, "wall time, output durable, s", show_bytes)
        figure.axes[0].set(xlabel="--memory", yscale="linear", ylim=(0, None))
        yield "memory-budget", "wall time against --memory", figure


def formats(found: list[Summary]) -> Iterator[Chart]:
    good = [summary for summary in found if summary.runs]
    if not good:
        return
    figure, axes = plt.subplots(figsize=(7, 0.27 * len(good) + 0.9), layout="constrained")
    bars(axes, [s.cell["variant"] for s in good], [s.durable_seconds for s in good],
         ["plain" not in s.cell["variant"] for s in good], lambda v: f"{v:.3g} s")
    axes.set_xlabel("wall time of tapeworks etl, s")
    yield "bars", "tapeworks etl by writer and compression of the input", figure


def increment(found: list[Summary]) -> Iterator[Chart]:
    for column, label, show in (("rows", "rows of the history", show_count), ("groups", "groups held", show_count)):
        if len({summary.cell[column] for summary in found}) < 2:
            return
        figure = line_chart(found, column, lambda s: s.durable_seconds, "wall time, output durable, s", show)
        figure.axes[0].set_xlabel(label)
        yield f"{column}-time", f"a full run and one further day against {label}", figure


def pnl(results: dict[str, object]) -> Iterator[Chart]:
    rates = results["rates"]
    names = ["tapeworks pnl", "plain Python FIFO, leaner", "plain Python FIFO, as today"]
    values = [rates["tapeworks_groups_per_cpu_second"], rates["python_last-day_groups_per_cpu_second"],
              rates["python_every-day_groups_per_cpu_second"]]
    figure, axes = plt.subplots(figsize=(7, 1.7), layout="constrained")
    bars(axes, names, values, [True, False, False], show_count)
    axes.set_xticks([])
    axes.set_xlabel("groups per second of CPU")
    yield "bars", "P&L: groups per second of CPU", figure


def resident_over_time(results: dict[str, object]) -> Iterator[Chart]:
    figure, axes = plt.subplots(figsize=(8, 3.6), layout="constrained")
    for run, colour in zip(results["recordings"], (OURS_COLOUR, PEER_COLOUR)):
        minutes = [sample["at_seconds"] / 60 for sample in run["samples"]]
        axes.plot(minutes, [sample["resident_bytes"] / 2**20 for sample in run["samples"]], color=colour, label=run["title"])
    for change in results["recordings"][0]["changes_at_seconds"]:
        axes.axvline(change / 60, color=SYNC_COLOUR, linewidth=0.6, linestyle=":")
    limit = results["parameters"]["memory_bytes"] / 2**20
    axes.axhline(limit, color=SYNC_COLOUR, linewidth=0.8, linestyle="--", label=f"--memory {limit:.0f}MiB")
    axes.set(xlabel="minutes (dotted: the hour changes)", ylabel="resident memory, MiB", xlim=(0, None), ylim=(0, None))
    axes.grid(alpha=0.25, linewidth=0.5)
    axes.legend(frameon=False, fontsize=8)
    yield "resident", "resident memory over time under the same load", figure


RECORDER_CHARTS = {"recorder-profile": resident_over_time, "recorder-cryptofeed": resident_over_time}


def charts_of(results: dict[str, object]) -> Iterator[Chart]:
    kind = results["bench"]
    if kind.startswith("recorder-"):
        if kind in RECORDER_CHARTS:
            yield from RECORDER_CHARTS[kind](results)
        return
    found = summaries(results["runs"])
    if kind in ("etl", "tpch"):
        yield from side_by_side(found)
    elif kind == "growth":
        yield from growth(found)
    elif kind == "formats":
        yield from formats(found)
    elif kind == "increment":
        yield from increment(found)
    else:
        yield from pnl(results)


def main() -> None:
    path, folder, stem = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    folder.mkdir(parents=True, exist_ok=True)
    plt.rcParams.update(STYLE)
    for ending, caption, figure in charts_of(load(path)):
        name = f"{stem}-{ending}.svg"
        figure.savefig(folder / name, metadata={"Date": None})
        print(f"{name}\t{caption}")


if __name__ == "__main__":
    main()
