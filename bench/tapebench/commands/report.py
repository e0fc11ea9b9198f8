"""`compare.py report`: tables and charts of result files again, into docs/benchmarks.md and docs/charts.

Each result file is a section, named by the file, between two comment lines of the page; a section that is not there yet
is added at its end. The rest of the page stays as it is.
"""

import argparse
from pathlib import Path

from tapebench.claim import show_claims
from tapebench.claims import claims_of
from tapebench.commands import etl, formats, growth, increment, pnl, tpch
from tapebench.inputs import run_helper
from tapebench.places import PEER_PYTHON, BenchError
from tapebench.recorder import latency, profile, throughput, versus_cryptofeed
from tapebench.results import load
from tapebench.units import show_bytes

TABLES = {"etl": etl, "growth": growth, "formats": formats, "pnl": pnl, "tpch": tpch, "increment": increment, "recorder-profile": profile,
          "recorder-latency": latency, "recorder-throughput": throughput, "recorder-throughput-tls": throughput,
          "recorder-cryptofeed": versus_cryptofeed}


def add_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="files written with --results")
    parser.add_argument("--docs", type=Path, help="folder of benchmarks.md; without it everything is printed only")


def machine_sentences(results: dict[str, object]) -> list[str]:
    machine, disk = results["machine"], results["disk"]
    packages = ", ".join(f"{name} {version}" for name, version in machine["packages"].items())
    parts = [f"{results['created'][:10]}, {machine['tapeworks']}, {packages}.",
             f"{machine['processor']}, {machine['cpu_count']} processors, {show_bytes(machine['memory_bytes'])}, "
             f"load before {machine['load_before']:.2f}."]
    if disk:
        parts.append(f"Disk: {show_bytes(disk['write_bytes_per_second'])}/s written and synced, "
                     f"{show_bytes(disk['read_bytes_per_second'])}/s read.")
    return parts


def conditions(results: dict[str, object]) -> str:
    """What the numbers were measured on, in one paragraph."""
    parts = machine_sentences(results)
    if results["bench"].startswith("recorder-"):
        return " ".join([*parts, f"`{results['command']}`"])
    inputs = "; ".join(dict.fromkeys(f"{i['label']} ({show_bytes(i['bytes'])})" for i in results["inputs"]
                                      if i.get("variant") in (None, formats.OURSELVES)))
    if results["missing_peers"]:
        parts.append("Not installed: " + ", ".join(results["missing_peers"]) + ".")
    parts += [f"Median of {results['parameters']['repeat']}, alternating.", f"Input: {inputs}."]
    return " ".join(parts)


def section(path: Path, docs: Path | None) -> str:
    """The text of one result file; draws its charts."""
    results = load(path)
    module = TABLES[results["bench"]]
    parts = [conditions(results), module.tables_of(results)]
    # The recorder's benches judge themselves.
    if judged := getattr(module, "claims_of", claims_of)(results):
        parts.append("```\n" + show_claims(judged) + "\n```")
    if docs is not None:
        if not PEER_PYTHON.exists():
            raise BenchError("build/bench-venv is missing, charts cannot be drawn; run bench/setup.sh")
        drawn = run_helper("charts", path.resolve(), (docs / "charts").resolve(), path.stem)
        parts += [f"![{caption}](charts/{name})" for name, caption in (line.split("\t") for line in drawn.splitlines())]
    return "\n\n".join(parts)


def replaced(page: str, name: str, text: str) -> str:
    """The page with the text between the two comment lines of `name` replaced, or added."""
    first, last = f"<!-- results {name} -->", f"<!-- end of {name} -->"
    block = f"{first}\n\n{text}\n\n{last}"
    if first not in page or last not in page:
        return f"{page.rstrip()}\n\n## {name}\n\n{block}\n"
    return page[: page.index(first)] + block + page[page.index(last) + len(last):]


def run(options: argparse.Namespace) -> int:
    sections = {path.stem: section(path, options.docs) for path in options.results}
    if options.docs is None:
        print("\n\n".join(f"## {name}\n\n{text}" for name, text in sections.items()))
        return 0
    page_path = options.docs / "benchmarks.md"
    page = page_path.read_text() if page_path.exists() else "# Benchmarks\n"
    for name, text in sections.items():
        page = replaced(page, name, text)
    page_path.write_text(page)
    print(f"written: {page_path} and {options.docs / 'charts'}")
    return 0
