"""What the recorder says of itself over HTTP: metrics that Prometheus takes, and a health that turns red."""

import json
import os
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from harness import assert_clear_error
from recording import Exchanges, free_port, record, start_recording, write_config

SAMPLE = re.compile(r'([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{((?:[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*",?)*)\})? (\S+)')
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\["\\n])*)"')
# Units that are no base units, and abbreviations of those that are.
BAD_UNITS = {"ms", "us", "ns", "milliseconds", "microseconds", "nanoseconds", "s", "sec", "min", "minutes", "hours", "days",
             "kb", "mb", "gb", "kib", "mib", "bits", "percent"}


def parse(text: str) -> dict[str, dict]:
    """Families by name, each with type, help and samples {(name, labels): value}; asserts the format and the rules of names."""
    assert text.endswith("\n")
    families, current = {}, None
    for line in text.splitlines():
        if line.startswith("# HELP "):
            _, _, name, explanation = line.split(" ", 3)
            assert name not in families, f"{name} is there twice"
            assert explanation.strip()
            current = families[name] = {"help": explanation, "samples": {}}
        elif line.startswith("# TYPE "):
            _, _, name, kind = line.split(" ")
            assert families[name] is current and kind in {"counter", "gauge", "histogram"}
            current["type"] = kind
            check_name(name, kind)
        else:
            match = SAMPLE.fullmatch(line)
            assert match, line
            sample, labels, value = match.groups()
            suffixes = {"_bucket", "_sum", "_count"} if current["type"] == "histogram" else {""}
            assert sample.startswith(name) and sample[len(name):] in suffixes, line
            key = (sample, tuple(sorted(LABEL.findall(labels or ""))))
            assert key not in current["samples"], f"{key} is there twice"
            current["samples"][key] = float(value)
    return families


def check_name(name: str, kind: str) -> None:
    assert re.fullmatch(r"[a-z][a-z0-9_]*", name) and name.startswith(("tapeworks_", "process_")), name
    assert (kind == "counter") == name.endswith("_total"), name
    assert not name.endswith(("_count", "_sum", "_bucket")), name
    words = set(name.split("_"))
    assert not words & {"counter", "gauge", "histogram", "summary"} and not words & BAD_UNITS, name


def check_histograms(families: dict) -> None:
    for name, family in families.items():
        if family["type"] != "histogram":
            continue
        series = {}
        for (sample, labels), value in family["samples"].items():
            plain = tuple(label for label in labels if label[0] != "le")
            entry = series.setdefault(plain, {"buckets": {}})
            if sample.endswith("_bucket"):
                entry["buckets"][float(dict(labels)["le"])] = value
            else:
                entry[sample.rsplit("_", 1)[1]] = value
        for entry in series.values():
            counts = [count for _, count in sorted(entry["buckets"].items())]
            assert counts == sorted(counts) and counts[-1] == entry["count"] == entry["buckets"][float("inf")], name


def get(port: int, path: str) -> tuple[int, str, str]:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode(), answer.headers["content-type"]
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode(), error.headers["content-type"]


def wait_for(what, seconds: float = 30):
    """The first answer of `what` that is not None."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            answer = what()
        except OSError:
            answer = None
        if answer is not None:
            return answer
        time.sleep(0.05)
    raise AssertionError("waited in vain")


def total(families: dict, name: str, **labels) -> float:
    wanted = set(labels.items())
    return sum(value for (_, sample), value in families[name]["samples"].items() if wanted <= set(sample))


@pytest.fixture
def recording(tmp_path):
    """A recorder of all venues that serves metrics: (exchanges, process, port)."""
    with Exchanges(tmp_path, "--symbols", "3", "--rate", "500/s") as exchanges, (tmp_path / "record.err").open("w") as errors:
        port = free_port()
        sections = f'[metrics]\nlisten = "127.0.0.1:{port}"\nunhealthy_after = "2s"\n'
        process = start_recording(write_config(tmp_path, exchanges.feeds, sections=sections), errors)
        try:
            metrics_after(port, 1)
            yield exchanges, process, port
        finally:
            process.send_signal(signal.SIGTERM)
            assert process.wait(30) == 0


def metrics_after(port: int, messages: int) -> str:
    def enough():
        status, text, kind = get(port, "/metrics")
        assert status == 200 and kind.startswith("text/plain; version=0.0.4")
        families = parse(text)
        done = total(families, "tapeworks_frames_total", kind="rows") >= messages
        return text if done and total(families, "tapeworks_receive_to_durable_seconds") > 0 else None
    return wait_for(enough)


def test_metrics_keep_the_rules_of_names_and_say_what_happens(recording):
    _, _, port = recording
    families = parse(metrics_after(port, 500))
    check_histograms(families)
    assert total(families, "tapeworks_messages_total") >= 500
    assert len(families["tapeworks_messages_total"]["samples"]) == 7
    assert total(families, "tapeworks_messages_total", exchange="gate", market="spot") > 0
    assert total(families, "tapeworks_message_bytes_total") > 500 * 20
    assert total(families, "tapeworks_rows_total") >= 500
    assert total(families, "tapeworks_connections_live") == total(families, "tapeworks_connections_wanted") == 7
    assert total(families, "tapeworks_connects_total") == 7
    assert total(families, "tapeworks_dropped_messages_total", cause="log_full") == 0
    assert 0 < total(families, "tapeworks_log_durable_lsn") < total(families, "tapeworks_log_end_lsn")
    assert total(families, "tapeworks_log_bytes") > 0 and total(families, "tapeworks_disk_free_bytes", folder="log") > 0
    assert 1 << 20 < total(families, "process_resident_memory_bytes") < 1 << 30
    assert total(families, "tapeworks_build_info") == 1
    latency = families["tapeworks_exchange_to_receive_seconds"]["samples"]
    heard = {dict(labels)["exchange"] for (name, labels), value in latency.items() if name.endswith("_count") and value > 0}
    assert heard == {"binance", "kucoin", "gate"}


def test_promtool_accepts_the_metrics(recording):
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not there (apt package prometheus)")
    _, _, port = recording
    judged = subprocess.run([promtool, "check", "metrics"], input=metrics_after(port, 100), text=True, capture_output=True)
    assert judged.returncode == 0 and not judged.stderr, judged.stderr


def test_every_metric_is_in_the_documentation_and_no_other(recording):
    _, _, port = recording
    page = (Path(__file__).parents[2] / "docs/metrics.md").read_text()
    documented = set(re.findall(r"^\| `((?:tapeworks|process)_[a-z_]+)`", page, re.M))
    assert documented == set(parse(metrics_after(port, 10)))


def test_health_turns_red_when_no_data_come_and_green_when_they_come_again(recording):
    exchanges, process, port = recording
    wait_for(lambda: get(port, "/healthz")[0] == 200 or None)
    metrics_after(port, 100)
    # Stopped and not ended: its sockets stay open, as those of an exchange that has fallen silent.
    exchanges.process.send_signal(signal.SIGSTOP)
    try:
        status, text, _ = wait_for(lambda: (answer := get(port, "/healthz"))[0] == 503 and answer or None)
        assert "no message of an exchange was made durable for" in text
        assert total(parse(get(port, "/metrics")[1]), "tapeworks_healthy") == 0
        assert process.poll() is None
    finally:
        exchanges.process.send_signal(signal.SIGCONT)
    wait_for(lambda: get(port, "/healthz")[0] == 200 or None)


def test_a_port_that_is_taken_is_an_error(tmp_path):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        feeds = '[[feed]]\nexchange = "gate"\nmarket = "spot"\nsymbols = ["BTC_USDT"]\nendpoint = "ws://127.0.0.1:9"\n'
        config = write_config(tmp_path, feeds, sections=f'[metrics]\nlisten = "127.0.0.1:{port}"\n')
        assert_clear_error(record(config, "1s", expect=4), f"cannot listen on 127.0.0.1:{port}")
        assert not (tmp_path / "out").exists() and not (tmp_path / "log").exists(), "nothing was begun"


def test_alerts_and_dashboard_ask_for_metrics_that_exist():
    root = Path(__file__).parents[2]
    documented = set(re.findall(r"^\| `((?:tapeworks|process)_[a-z_]+)`", (root / "docs/metrics.md").read_text(), re.M))
    rules = "\n".join(line for line in (root / "deploy/prometheus/tapeworks.rules.yml").read_text().splitlines() if "expr:" in line)
    dashboard = json.loads((root / "deploy/grafana/tapeworks.json").read_text())
    queries = [target["expr"] for panel in dashboard["panels"] for target in panel["targets"]]
    for asked in [rules, *queries]:
        names = re.findall(r"\b(?:tapeworks|process)_[a-z_]+", asked)
        assert names and {name.removesuffix("_bucket") for name in names} <= documented, asked


def test_promtool_accepts_the_alert_rules():
    promtool = os.environ.get("PROMTOOL") or shutil.which("promtool")
    if not promtool:
        pytest.skip("promtool is not there (apt package prometheus)")
    rules = Path(__file__).parents[2] / "deploy/prometheus/tapeworks.rules.yml"
    judged = subprocess.run([promtool, "check", "rules", rules], text=True, capture_output=True)
    assert judged.returncode == 0, judged.stderr


def test_systemd_starts_the_recorder_again_however_often_it_ends():
    text = (Path(__file__).parents[2] / "deploy/systemd/tapeworks-record.service").read_text()
    sections = {name: dict(re.findall(r"(?m)^(\w+)=(.*)$", body)) for name, body in re.findall(r"(?ms)^\[(\w+)\]$(.*?)(?=^\[|\Z)", text)}
    assert sections["Unit"]["StartLimitIntervalSec"] == "0"
    assert sections["Service"]["Restart"] == "on-failure" and sections["Service"]["RestartPreventExitStatus"] == "2"
    # Each start is a segment of the log, and a disk that fails does so for hours.
    assert int(sections["Service"]["RestartSec"].removesuffix("s")) >= 5
