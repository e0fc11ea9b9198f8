"""What the end-to-end tests share: running the binary, building inputs, comparing data directories."""

import atexit
import hashlib
import json
import os
import signal
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

ROOT = Path(__file__).resolve().parents[2]
TEST_DATA = ROOT / "tests" / "data"
BINARY = os.environ.get("TAPEWORKS_BINARY") or str(ROOT / "build" / "dev" / "tapeworks")
SANITIZERS = os.environ.get("TAPEWORKS_SANITIZE", "")

# A ForkServer of the binary, where a long test wants its commands from one.
fork_server = None

# How a program ends that did not decide to end.
CRASH_WORDS = ("Sanitizer", "runtime error:", "terminate called", "Assertion", "Segmentation")


@dataclass
class Outcome:
    """How one command ended."""

    command: str
    exit_code: int  # negative: killed by that signal
    stdout: str
    stderr: str
    peak_resident_bytes: int

    @property
    def error(self) -> str:
        """The last line on stderr, which is the error of a command that failed."""
        lines = [line for line in self.stderr.splitlines() if line.strip()]
        return lines[-1] if lines else ""

    @property
    def peak_memory_mib(self) -> float:
        """What the program itself says with --stats; the system's number begins with that of the process that started it."""
        return json.loads(self.stderr.splitlines()[-1])["peak_memory_bytes"] / 2**20

    def records(self) -> list[dict]:
        return [json.loads(line) for line in self.stdout.splitlines() if line.strip()]

    def __str__(self) -> str:
        return f"{self.command}\nexit {self.exit_code}\nstdout: {self.stdout[-2000:]}\nstderr: {self.stderr[-4000:]}"


def start(*arguments, cwd=None, env=None, stdout=None, stderr=None, preexec_fn=None) -> subprocess.Popen:
    """Starts the binary without waiting for it. It does not outlive the tests, also where one fails before it ends it."""
    process = subprocess.Popen(
        [BINARY, *map(str, arguments)], stdin=subprocess.DEVNULL, stdout=stdout, stderr=stderr, cwd=cwd,
        env={**os.environ, **(env or {})}, preexec_fn=preexec_fn,
        # A test that ignores a signal in preexec_fn wants the program to inherit that.
        restore_signals=preexec_fn is None)
    atexit.register(process.kill)  # harmless once somebody has waited for it
    return process


def run_to_end(*arguments, stdout, stderr, timeout, **how) -> tuple[int, int]:
    """Exit status as of wait(), and the largest resident size in KiB."""
    if fork_server and not any(how.values()):
        return fork_server.run([str(argument) for argument in arguments], stdout, stderr, timeout)
    process = start(*arguments, stdout=stdout, stderr=stderr, **how)
    timer = threading.Timer(timeout, process.kill)
    timer.start()
    _, status, usage = os.wait4(process.pid, 0)
    timer.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    return status, usage.ru_maxrss


def tapeworks(*arguments, expect=0, cwd=None, env=None, preexec_fn=None, timeout=600) -> Outcome:
    """Runs the binary to its end. `expect` is an exit code, several, or None for any that is no crash."""
    with tempfile.TemporaryFile() as out, tempfile.TemporaryFile() as err:
        status, peak_resident_kib = run_to_end(
            *arguments, stdout=out, stderr=err, timeout=timeout, cwd=cwd, env=env, preexec_fn=preexec_fn)
        out.seek(0)
        err.seek(0)
        outcome = Outcome(
            " ".join(map(str, ["tapeworks", *arguments])), os.waitstatus_to_exitcode(status),
            out.read().decode(errors="replace"), err.read().decode(errors="replace"), peak_resident_kib * 1024)
    assert outcome.exit_code >= 0, f"killed by {signal.Signals(-outcome.exit_code).name} (or after {timeout} s): {outcome}"
    assert not any(word in outcome.stderr for word in CRASH_WORDS), f"crashed: {outcome}"
    if expect is not None:
        expected = {expect} if isinstance(expect, int) else set(expect)
        assert outcome.exit_code in expected, f"expected exit {sorted(expected)}: {outcome}"
    return outcome


def assert_clear_error(outcome: Outcome, *facts: str) -> None:
    """The command failed with exactly one error sentence that contains the facts."""
    lines = [line for line in outcome.stderr.splitlines() if line.strip() and "warning" not in line.lower()]
    assert len(lines) == 1, f"an error is one line: {outcome}"
    for fact in facts:
        assert str(fact) in lines[0], f"the error does not say '{fact}': {outcome}"


# ---- inputs ----------------------------------------------------------------------------------------

TRANSACTION_SCHEMA = pa.schema([
    ("symbol_id", pa.string()), ("date", pa.timestamp("ms", "UTC")), ("broker", pa.string()),
    ("broker_name", pa.string()), ("price", pa.string()), ("buy", pa.int64()), ("sell", pa.int64()),
])
EIGHT_HOURS_MS = 8 * 3600 * 1000


def taipei_midnight_ms(day: str) -> int:
    """The instant at which a day begins in Taipei, as vendors stamp it."""
    import datetime

    epoch = datetime.date(1970, 1, 1)
    return (datetime.date.fromisoformat(day) - epoch).days * 86_400_000 - EIGHT_HOURS_MS


def transactions(rows) -> pa.Table:
    """A vendor's table from (symbol, day, broker, price text, buy, sell); None anywhere is null."""
    symbols, days, brokers, prices, buys, sells = zip(*rows) if rows else ([],) * 6
    return pa.table({
        "symbol_id": symbols,
        "date": [None if day is None else taipei_midnight_ms(day) for day in days],
        "broker": brokers,
        "broker_name": [None if broker is None else f"name of {broker}" for broker in brokers],
        "price": prices, "buy": buys, "sell": sells,
    }, schema=TRANSACTION_SCHEMA)


def write_transactions(path: Path, rows, **options) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(transactions(rows), path, **options)
    return path


GOOD_ROWS = [
    ("2330", "2023-01-03", "1440", "500.5", 1000, 0),
    ("2330", "2023-01-04", "1440", "510", 0, 400),
    ("2330", "2023-01-04", "9A00", "1,510.25", 0, 30),
    ("2317", "2023-01-03", "9A00", "100", 5, 5),
    ("2317", "2023-01-04", "1440", "-", 5, 5),
]


def prices(rows) -> pa.Table:
    """A table of closes from (symbol, day, close)."""
    import datetime

    symbols, days, closes = zip(*rows) if rows else ([],) * 3
    return pa.table({
        "symbol_id": pa.array(symbols, pa.string()),
        "date": pa.array([datetime.date.fromisoformat(day) for day in days], pa.date32()),
        "close_price": pa.array(closes, pa.float32()),
    })


GOOD_PRICES = [
    ("2330", "2023-01-03", 505.0), ("2330", "2023-01-04", 512.0),
    ("2317", "2023-01-03", 101.0), ("2317", "2023-01-04", 99.5),
]


def write_prices(path: Path, rows=GOOD_PRICES) -> Path:
    pq.write_table(prices(rows), path)
    return path


@dataclass
class Generated:
    transactions: Path
    prices: Path


def generate(folder: Path, *, rows, symbols=60, brokers=50, days=40, seed=1, start_day="2023-01-02", extra=()) -> Generated:
    """Input made by `tapeworks generate`."""
    tapeworks("generate", "--out", folder, "--rows", rows, "--symbols", symbols, "--brokers", brokers,
              "--days", days, "--seed", seed, "--start", start_day, *extra)
    one_file = folder / "broker_tx.parquet"
    return Generated(one_file if one_file.exists() else folder / "broker_tx", folder / "close_prices.parquet")


def run_pipeline(data: Path, source: Generated, *options, inputs=None, expect=0, **how) -> Outcome:
    """`tapeworks run` over a generated input, or over other inputs with its prices."""
    return tapeworks("run", *(inputs or [source.transactions]), "--prices", source.prices, "--data", data,
                     *options, expect=expect, **how)


# ---- data directories ------------------------------------------------------------------------------

def data_files(data: Path) -> dict[str, Path]:
    """All files that make up the result: tables and manifest.json, by relative path."""
    base = Path(os.path.realpath(data))
    found = {p.relative_to(base).as_posix(): p for p in base.rglob("*") if p.is_file()}
    return {name: path for name, path in sorted(found.items())
            if name != "run.json" and not name.startswith("checkpoint")}


def tree_hash(data: Path) -> dict[str, str]:
    """SHA-256 of each file of data_files()."""
    return {name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in data_files(data).items()}


def assert_same_trees(left: Path, right: Path) -> None:
    """Both data directories hold the same files with the same bytes."""
    assert_tree(left, tree_hash(right))


def assert_tree(data: Path, b: dict[str, str]) -> None:
    """The data directory holds these files: a tree_hash()."""
    a = tree_hash(data)
    assert a, f"no files in {data}"
    assert sorted(a) == sorted(b), f"only in one: {sorted(set(a) ^ set(b))[:10]}"
    different = [name for name in a if a[name] != b[name]]
    assert not different, f"different bytes: {different[:10]} ({len(different)} of {len(a)})"


def generations_folder(data: Path) -> Path:
    return data.with_name(data.name + ".generations")


def leftovers(data: Path) -> list[str]:
    """What an interrupted run left beside the generations: must be nothing."""
    folder = generations_folder(data)
    names = [p.name for p in folder.iterdir()] if folder.is_dir() else []
    beside = [p.name for p in data.parent.iterdir()] if data.parent.is_dir() else []
    return [n for n in names if n.endswith(".partial") or n.startswith("temp-")] + [
        n for n in beside if n.startswith(data.name) and n not in {data.name, folder.name}]


class Untouched:
    """with Untouched(data): whatever happens inside leaves the published generation and no garbage."""

    def __init__(self, data: Path):
        self.data = data

    def __enter__(self):
        self.target = os.readlink(self.data) if self.data.is_symlink() else None
        self.hash = tree_hash(self.data) if self.target else None
        return self

    def __exit__(self, kind, *_):
        if kind is not None:
            return False
        now = os.readlink(self.data) if self.data.is_symlink() else None
        assert now == self.target, f"the link moved from {self.target} to {now}"
        if self.target:
            assert tree_hash(self.data) == self.hash, "the published generation changed"
        assert not leftovers(self.data), f"left behind: {leftovers(self.data)}"
        return False


def publish_good(data: Path, folder: Path) -> None:
    """A small complete generation, for tests which show that it survives."""
    tx = write_transactions(folder / "good.parquet", GOOD_ROWS)
    tapeworks("run", tx, "--prices", write_prices(folder / "good_prices.parquet"), "--data", data)


def read_table(data: Path, name: str) -> pa.Table:
    return pq.read_table(Path(os.path.realpath(data)) / name)


def read_symbol_files(data: Path, table: str) -> dict[str, pa.Table]:
    """The files of a per-symbol table by symbol."""
    folder = Path(os.path.realpath(data)) / table
    return {p.name.removesuffix(".parquet"): pq.read_table(p) for p in sorted(folder.glob("*.parquet"))}


def make_certificate(folder: Path, subject_alt_name: str) -> tuple[Path, Path]:
    """A certificate that signs itself, for a day, and its key: "DNS:localhost", "IP:127.0.0.1"."""
    cert, key = folder / "cert.pem", folder / "key.pem"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "1",
                    "-subj", "/CN=test", "-addext", f"subjectAltName={subject_alt_name}", "-keyout", key, "-out", cert],
                   check=True, capture_output=True)
    return cert, key
