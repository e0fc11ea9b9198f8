"""What the recorder says of itself: the text format of Prometheus, read into plain numbers, and percentiles of its histograms."""

import math
import re
import urllib.request
from dataclasses import dataclass

_SAMPLE = re.compile(r"^([a-z_:][a-z0-9_:]*)(?:\{(.*)\})? (\S+)$", re.IGNORECASE)
_LE = re.compile(r'(?:^|,)le="([^"]*)"')


@dataclass(frozen=True)
class Histogram:
    """Counts by upper bound in seconds, cumulative, the last bound infinite."""

    bounds: tuple[float, ...]
    counts: tuple[float, ...]

    def since(self, earlier: "Histogram") -> "Histogram":
        return Histogram(self.bounds, tuple(now - then for now, then in zip(self.counts, earlier.counts)))

    @property
    def count(self) -> float:
        return self.counts[-1]

    def share_up_to(self, bound: float) -> float:
        """Exact, for a bound of the histogram; 0 when nothing was counted."""
        return self.counts[self.bounds.index(bound)] / self.count if self.count else 0.0

    def quantile(self, q: float) -> float:
        """Evenly spread inside its bucket; infinite above the last bound."""
        wanted, lower_bound, lower_count = q * self.count, 0.0, 0.0
        for bound, count in zip(self.bounds, self.counts):
            if count >= wanted and count > lower_count:
                return lower_bound + (bound - lower_bound) * (wanted - lower_count) / (count - lower_count)
            lower_bound, lower_count = bound, count
        return math.nan


@dataclass(frozen=True)
class Reading:
    """One answer of /metrics."""

    samples: tuple[tuple[str, str, float], ...]  # name, labels, value

    def sum(self, name: str) -> float:
        """Over all labels; 0 when there is none."""
        return sum(value for found, _, value in self.samples if found == name)

    def histogram(self, name: str) -> Histogram:
        """One without labels of its own."""
        buckets = [(float(_LE.search(labels)[1]), value) for found, labels, value in self.samples if found == f"{name}_bucket"]
        return Histogram(*map(tuple, zip(*sorted(buckets))))


def parse(text: str) -> Reading:
    matches = (_SAMPLE.match(line) for line in text.splitlines() if not line.startswith("#"))
    return Reading(tuple((match[1], match[2] or "", float(match[3])) for match in matches if match))


def read(address: str, timeout_seconds: float = 10) -> Reading:
    with urllib.request.urlopen(f"http://{address}/metrics", timeout=timeout_seconds) as answer:
        return parse(answer.read().decode())
