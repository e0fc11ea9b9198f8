"""libFuzzer on everything of the recorder that reads bytes of others: decoders, connections, the log, the configuration.

    .venv/bin/python tests/long/fuzz.py [--build build/clang] [--seconds 600] [--state fuzz.json] [--keep-corpora] [TARGET...]

Runs each target until it has had its seconds, in slices that are added up in the state file: interrupted, it goes on where it
was, and with a higher figure it goes on from there. It begins with the committed corpus (tests/data/fuzz/TARGET.tar.xz) and with
seeds made of the recorded messages. With --keep-corpora what was found is minimised and packed again for committing, at most
64 KiB a target. A finding ends it: the input is left where it is named, and exit code 1.
"""

import argparse
import io
import json
import re
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "support"))

from wal_files import Segment, payload_of, record  # noqa: E402

EXCHANGES = ROOT / "tests" / "data" / "exchanges"
CORPORA = ROOT / "tests" / "data" / "fuzz"
PACKED_BYTES_MAX = 64 * 1024
SLICE_SECONDS = 60

# Program, and how long an input may be: frames of an exchange are short, a segment has blocks of 32 KiB.
TARGETS = {
    "binance_spot_fuzz": ("recorder/protocol", 4096),
    "binance_usdm_fuzz": ("recorder/protocol", 4096),
    "binance_sbe_fuzz": ("recorder/protocol", 4096),
    "kucoin_spot_fuzz": ("recorder/protocol", 4096),
    "kucoin_futures_fuzz": ("recorder/protocol", 4096),
    "gate_spot_fuzz": ("recorder/protocol", 4096),
    "gate_futures_fuzz": ("recorder/protocol", 4096),
    "recorder_config_fuzz": ("recorder/config", 4096),
    "log_reader_fuzz": ("storage", 100_000),
    "connection_fuzz": ("recorder/protocol", 8192),
    "trade_page_fuzz": ("recorder/protocol", 4096),
}


def recorded_lines(prefix: str) -> list[bytes]:
    return [line for folder in sorted(EXCHANGES.glob(f"{prefix}*")) for path in sorted(folder.glob("*.jsonl")) if path.name.count(".") == 1
            for line in path.read_bytes().splitlines()]


def toml_examples() -> list[bytes]:
    pages = [ROOT / "docs/commands/configuration.md", *sorted((ROOT / "docs/commands").glob("record*.md"))]
    return [block.encode() for page in pages for block in re.findall(r"```toml\n(.*?)```", page.read_text(), re.S)]


def segment(lsns: range) -> bytes:
    made = Segment(5)
    for lsn in lsns:
        made.append(record(lsn, payload_of(lsn)), lsn)
    return made.content


def trade_pages() -> list[bytes]:
    """Of each venue by its place: a gap of the numbers 101 to 111 in a minute, two answers behind refusals, and what ends it."""
    binance = '{{"id":{n},"price":"1.5","qty":"2","time":1700000000123,"isBuyerMaker":true}}'
    kucoin = '{{"sequence":"{n}","tradeId":"a{n}","price":"1.5","size":"2","side":"buy","time":1700000000000000000,"ts":1700000000000000000}}'
    gate_spot = '{{"id":"{n}","create_time_ms":"1700000000123.456","side":"sell","amount":"2","price":"1.5"}}'
    gate_futures = '{{"id":{n},"create_time":1700000000,"create_time_ms":1700000000.123,"size":-2,"price":"1.5"}}'
    seeds = []
    for place, trade in enumerate([binance, binance, binance, kucoin, kucoin, gate_spot, gate_futures]):
        pages = ["[" + ",".join(trade.format(n=number) for number in numbers) + "]" for numbers in [(101, 102, 103), (), (104, 108), (109, 110, 112)]]
        answers = [f'{{"code":"200000","data":{page}}}' if trade is kucoin else page for page in pages]
        lines = ["!e", "!f", *answers, answers[-1], answers[-1]]
        seeds.append(bytes([place, 100, 1, 1]) + "\n".join(lines).encode())
    return seeds


def seeds_of(target: str) -> list[bytes]:
    if target == "recorder_config_fuzz":
        return toml_examples()
    if target == "log_reader_fuzz":
        return [segment(range(5, end)) for end in (6, 7, 9)]
    if target == "trade_page_fuzz":
        return trade_pages()
    if target == "connection_fuzz":
        return [bytes([place, 20]) + b"\n".join(recorded_lines(venue)[:40])
                for place, venue in enumerate(["binance_spot", "binance_usdm", "kucoin_spot", "kucoin_futures", "gate_spot", "gate_futures"])]
    if target == "binance_sbe_fuzz":
        frames = [json.loads(line)["hex"] for path in sorted((EXCHANGES / "binance_sbe").glob("*.jsonl")) for line in path.read_text().splitlines()]
        return [bytes.fromhex(frame) for frame in frames]
    return recorded_lines(target.removesuffix("_fuzz"))


def unpack(target: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for number, seed in enumerate(seeds_of(target)):
        (folder / f"seed{number}").write_bytes(seed)
    packed = CORPORA / f"{target}.tar.xz"
    if packed.exists():
        with tarfile.open(packed) as archive:
            archive.extractall(folder, filter="data")


def pack(target: str, inputs: list[Path]) -> None:
    """The shortest ones first; with the same bytes for the same inputs."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:xz", preset=9) as archive:
        for path in inputs:
            entry = tarfile.TarInfo(path.name)
            entry.size = path.stat().st_size
            archive.addfile(entry, io.BytesIO(path.read_bytes()))
    if len(buffer.getvalue()) > PACKED_BYTES_MAX:
        pack(target, inputs[:len(inputs) * 3 // 4])
        return
    CORPORA.mkdir(parents=True, exist_ok=True)
    (CORPORA / f"{target}.tar.xz").write_bytes(buffer.getvalue())
    print(f"{target}: {len(inputs)} inputs kept, {len(buffer.getvalue()):,} bytes", flush=True)


def keep_corpus(program: Path, target: str, corpus: Path, length_max: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        subprocess.run([program, "-merge=1", f"-max_len={length_max}", folder, corpus], check=True, capture_output=True)
        pack(target, sorted(Path(folder).iterdir(), key=lambda path: (path.stat().st_size, path.name)))


def fuzz(program: Path, corpus: Path, findings: Path, seconds: int, length_max: int) -> tuple[int, int]:
    """Inputs that were tried, and seconds; ends the script with what was found."""
    run = subprocess.run([program, f"-max_total_time={seconds}", f"-max_len={length_max}", "-timeout=10", "-rss_limit_mb=2048",
                          f"-artifact_prefix={findings}/", corpus], capture_output=True, text=True, errors="replace", check=False)
    done = re.search(r"Done (\d+) runs in (\d+) second", run.stderr)
    if run.returncode != 0 or not done:
        print(run.stderr[-4000:])
        print(f"{program.name}: FOUND something; the input lies in {findings}")
        sys.exit(1)
    return int(done.group(1)), int(done.group(2))


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("targets", nargs="*", metavar="TARGET", default=list(TARGETS))
    parser.add_argument("--build", type=Path, default=ROOT / "build" / "clang")
    parser.add_argument("--seconds", type=int, default=600)
    parser.add_argument("--state", type=Path, default=Path("fuzz.json"))
    parser.add_argument("--keep-corpora", action="store_true")
    options = parser.parse_args()
    state = json.loads(options.state.read_text()) if options.state.exists() else {}
    work = options.state.with_suffix(".corpora")
    findings = options.state.with_suffix(".findings")
    findings.mkdir(parents=True, exist_ok=True)
    for target in options.targets:
        folder, length_max = TARGETS[target]
        program = options.build / "src" / folder / target
        corpus = work / target
        unpack(target, corpus)
        had = state.setdefault(target, {"seconds": 0, "runs": 0})
        while had["seconds"] < options.seconds:
            runs, seconds = fuzz(program, corpus, findings, min(SLICE_SECONDS, options.seconds - had["seconds"]), length_max)
            had["runs"] += runs
            had["seconds"] += max(seconds, 1)
            options.state.write_text(json.dumps(state))
        print(f"{target}: {had['runs']:,} inputs in {had['seconds']} s, nothing found; {len(list(corpus.iterdir()))} in the corpus", flush=True)
        if options.keep_corpora:
            keep_corpus(program, target, corpus, length_max)
    return 0


if __name__ == "__main__":
    sys.exit(main())
