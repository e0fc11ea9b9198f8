"""Where things are, relative to the repository."""

from dataclasses import dataclass
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parents[2]
BENCH = REPOSITORY / "bench"
BINARY = REPOSITORY / "build/release/tapeworks"
PEER_PYTHON = REPOSITORY / "build/bench-venv/bin/python"
CRYPTOFEED_PYTHON = REPOSITORY / "build/bench-recorder-venv/bin/python"
DBGEN_PYTHON = REPOSITORY / "build/bench-tpch-venv/bin/python"
DEFAULT_WORK_FOLDER = REPOSITORY / "build/bench"


class BenchError(Exception):
    """Something that the person at the keyboard can mend; the text says what and how."""


@dataclass(frozen=True)
class Places:
    """The folders of one call. Inputs are kept between calls, everything else is deleted after use."""

    binary: Path
    work_folder: Path

    @property
    def inputs(self) -> Path:
        return self.work_folder / "inputs"

    @property
    def runs(self) -> Path:
        """One folder for each contender while it runs."""
        return self.work_folder / "runs"

    @property
    def checks(self) -> Path:
        """Digests of the outputs, for the comparison."""
        return self.work_folder / "checks"

    @property
    def logs(self) -> Path:
        """What the contenders printed last."""
        return self.work_folder / "logs"


def require_setup(places: Places) -> None:
    if not places.binary.exists():
        raise BenchError(f"{places.binary} is missing; build it: cmake --preset release && ninja -C build/release tapeworks")
    if not PEER_PYTHON.exists():
        raise BenchError("build/bench-venv is missing; run bench/setup.sh")
