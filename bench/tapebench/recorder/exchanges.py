"""Exchanges to record from: a running simulate-exchange and the feeds that it offers."""

import signal
import subprocess
import tomllib
from pathlib import Path

from tapebench.places import BenchError
from tapebench.recorder.watched import Watched


def make_certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of 127.0.0.1 that signs itself, and its key."""
    certificate, key = folder / "certificate.pem", folder / "key.pem"
    answer = subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=tapebench",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)], capture_output=True, text=True, check=False)
    if answer.returncode != 0:
        raise BenchError(f"openssl cannot make a certificate for --tls: {answer.stderr.strip()}")
    return certificate, key


class Exchanges:
    """The spot markets of the three exchanges over JSON, as a `with` block."""

    def __init__(self, binary: Path, folder: Path, *, symbols_each: int, rate: int, activity_range: int = 1, tls: bool = False,
                 clock: Path | None = None, ledger: Path | None = None, exchange: str | None = None) -> None:
        command: list[object] = [binary, "simulate-exchange", "--listen", "127.0.0.1:0", "--market", "spot", "--symbols", symbols_each,
                                 "--rate", f"{rate}/s"]
        if activity_range != 1:
            command += ["--activity-range", activity_range]
        if exchange:
            command += ["--exchange", exchange]
        if tls:
            certificate, key = make_certificate(folder)
            command += ["--tls-cert", certificate, "--tls-key", key]
        if clock:
            command += ["--clock", f"script:{clock}"]
        if ledger:
            command += ["--ledger", ledger]
        self.process = Watched(command, folder / "exchanges.log", stdout=subprocess.PIPE)
        # The feeds are printed at once when all ports are open, and end with a line.
        text = b""
        while not text.endswith(b"\n"):
            chunk = self.process.process.stdout.read1()
            if not chunk:
                self.process.process.wait()
                self.process.require_running()
            text += chunk
        blocks = [f"[[feed]]{block}" for block in text.decode().split("[[feed]]")[1:]]
        self.feeds = "\n".join(block for block in blocks if 'transport = "json"' in block)

    @property
    def feed_list(self) -> list[dict[str, object]]:
        return tomllib.loads(self.feeds)["feed"]

    def __enter__(self) -> "Exchanges":
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None and self.process.is_running:
            self.process.stop(signal.SIGINT)
        self.process.__exit__()
