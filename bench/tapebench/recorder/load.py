"""One recording under the load of simulated exchanges, sampled while it runs, and what follows from the samples."""

import shutil
import statistics
import subprocess
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

from tapebench.places import PEER_PYTHON, REPOSITORY, BenchError, Places
from tapebench.recorder.clock import change_times, write_clocks
from tapebench.recorder.exchanges import Exchanges
from tapebench.recorder.limits import MemoryGroup, bind
from tapebench.recorder.metrics import Histogram
from tapebench.recorder.recording import DURABLE_LATENCY, Recorder, Sample, Setting, plain
from tapebench.recorder.watched import Watched

SAMPLE_SECONDS = 5.0
SECONDS_MIN = 30  # some samples in each quarter
_CHANGES_APART_SECONDS = (20, 3600)


@dataclass(frozen=True)
class Load:
    """What arrives, for how long, and how often the hour changes meanwhile."""

    symbols: int = 450  # a third of them on each exchange
    rate: int = 20_000  # messages a second, all together
    activity_range: int = 10_000
    seconds: float = 3600
    hour_changes: int = 3
    tls: bool = False


def sampled(seconds: float, look: Callable[[], None], every_seconds: float = SAMPLE_SECONDS) -> None:
    """Calls look() at once, then periodically, and once more at the end."""
    begin = time.monotonic()
    due = 0.0
    while due < seconds:
        time.sleep(max(0.0, begin + due - time.monotonic()))
        look()
        due += every_seconds
    time.sleep(max(0.0, begin + seconds - time.monotonic()))
    look()


def fresh_folder(places: Places, name: str) -> Path:
    folder = places.runs / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def require_clock(binary: Path) -> None:
    answer = subprocess.run([str(binary), "record", "--help"], capture_output=True, text=True, check=False)
    if "--clock" not in answer.stdout:
        raise BenchError(f"{binary} has no --clock, so hours do not change; configure it with -DTAPEWORKS_TEST_CLOCK=ON, or give --hour-changes 0")


def require_sensible(load: Load) -> None:
    if load.seconds < SECONDS_MIN:
        raise BenchError(f"--seconds {load.seconds:g} is too short to be judged; at least {SECONDS_MIN}")
    changes = change_times(load.seconds, load.hour_changes) if load.hour_changes else []
    least, most = _CHANGES_APART_SECONDS
    if len(changes) > 1 and not least <= changes[1] - changes[0] < most:
        raise BenchError(f"--hour-changes {load.hour_changes} in {load.seconds:g} s are {changes[1] - changes[0]:.0f} s apart; make it {least} to {most} s")


def record_under_load(places: Places, name: str, load: Load, setting_of: Callable[[Path | None], Setting], memory_limit_bytes: int) -> dict[str, object]:
    """`setting_of` gets the script of the clock, or None."""
    require_sensible(load)
    folder = fresh_folder(places, name)
    changes = change_times(load.seconds, load.hour_changes) if load.hour_changes else []
    if changes:
        require_clock(places.binary)
    clock, exchanges_clock = write_clocks(folder, changes) if changes else (None, None)
    setting = setting_of(clock)
    samples: list[Sample] = []
    with ExitStack() as stack:
        exchanges = stack.enter_context(Exchanges(places.binary, folder, symbols_each=load.symbols // 3, rate=load.rate,
                                                  activity_range=load.activity_range, tls=load.tls, clock=exchanges_clock))
        group = stack.enter_context(MemoryGroup(memory_limit_bytes))
        recorder = stack.enter_context(Recorder(places.binary, folder, exchanges.feeds, setting, group))
        recorder.wait_connected()
        latencies = [recorder.read().histogram(DURABLE_LATENCY)]

        def look() -> None:
            reading = recorder.read()
            latencies.append(reading.histogram(DURABLE_LATENCY))
            samples.append(recorder.sample(reading))

        sampled(load.seconds - recorder.age_seconds(), look)
        end = recorder.stop()
    shutil.rmtree(folder / "out", ignore_errors=True)
    shutil.rmtree(folder / "log", ignore_errors=True)
    return {"title": "tapeworks record", "changes_at_seconds": changes, "limited": group.applied, "samples": plain(samples), "end": end,
            "summary": summary_of(samples, end), "latency": latency_of(latencies[-1].since(latencies[0])),
            "samples_latency": [{"until_seconds": sample.at_seconds, **latency_of(later.since(earlier))}
                                for earlier, later, sample in zip(latencies, latencies[1:], samples) if later.count > earlier.count]}


def growth_after_first_quarter(samples: list[tuple[float, float]]) -> float:
    """How much larger the largest value after the first quarter of the time is than the largest before, as a share."""
    begin, end = samples[0][0], samples[-1][0]
    quarter = begin + (end - begin) / 4
    before = max(value for at, value in samples if at <= quarter)
    return max(value for at, value in samples if at > quarter) / before - 1


def summary_of(samples: list[Sample], end: dict[str, object]) -> dict[str, object]:
    first, last = samples[0], samples[-1]
    seconds, messages = last.at_seconds - first.at_seconds, last.messages - first.messages
    return {
        "seconds": seconds,
        "messages_per_second": messages / seconds,
        "peak_rss_bytes": end["peak_rss_bytes"],
        "growth_after_first_quarter": growth_after_first_quarter([(s.at_seconds, s.resident_bytes) for s in samples]),
        "cpu_of_a_core": (last.cpu_seconds - first.cpu_seconds) / seconds,
        # The whole life of the process, the end and its merges included, over everything that it received.
        "cpu_us_per_message": 1e6 * end["cpu_seconds"] / last.messages,
        "queue_records_median": statistics.median(s.queue_records for s in samples),
        "queue_records_max": max(s.queue_records for s in samples),
        "dropped": last.dropped,
        "published_files": last.published_files,
        "log_bytes": last.log_bytes,
    }


def latency_of(histogram: Histogram) -> dict[str, object]:
    return {"count": histogram.count, "p50_seconds": histogram.quantile(0.5), "p99_seconds": histogram.quantile(0.99),
            "share_up_to_10_ms": histogram.share_up_to(0.01), "share_up_to_30_ms": histogram.share_up_to(0.03)}


def arrow_writers_under_load(places: Places, load: Load, cpu_count: int, seconds: float) -> dict[str, object]:
    """The same rate of rows through one open Arrow writer a symbol, for the first `seconds` of the load."""
    folder = fresh_folder(places, "arrow-writers")
    changes = [change for change in change_times(load.seconds, load.hour_changes) if change < seconds] if load.hour_changes else []
    command = [PEER_PYTHON, "-m", "tapebench.recorder.arrow_writers", folder, load.symbols, load.rate, seconds, load.activity_range,
               ",".join(map(str, changes))]
    samples: list[dict[str, float]] = []
    with Watched(command, folder / "writers.log", prepare=lambda: bind(cpu_count), folder=REPOSITORY / "bench", stdout=subprocess.PIPE) as writers:
        if writers.process.stdout.readline() != b"READY\n":
            writers.process.wait()
            writers.require_running()
        begin = time.monotonic()

        def look() -> None:
            writers.require_running()
            samples.append({"at_seconds": round(time.monotonic() - begin, 3), "resident_bytes": writers.memory_bytes(), "cpu_seconds": writers.cpu_seconds()})

        sampled(seconds - 1, look)
        writers.wait()
        usage = writers.usage
    shutil.rmtree(folder, ignore_errors=True)
    first, last = samples[0], samples[-1]
    watched_seconds = last["at_seconds"] - first["at_seconds"]
    title = f"{load.symbols} open Arrow writers" + ("" if seconds == load.seconds else f", {seconds:g} s")
    # Without an hour change in the first quarter it would say what one takes, and not what grows.
    has_change_before = not changes or changes[0] <= seconds / 4
    growth = growth_after_first_quarter([(s["at_seconds"], s["resident_bytes"]) for s in samples]) if has_change_before else None
    return {"title": title, "changes_at_seconds": changes, "samples": samples,
            "summary": {"seconds": watched_seconds, "peak_rss_bytes": usage.ru_maxrss * 1024, "resident_before_bytes": first["resident_bytes"],
                        "growth_after_first_quarter": growth,
                        "cpu_of_a_core": (last["cpu_seconds"] - first["cpu_seconds"]) / watched_seconds}}
