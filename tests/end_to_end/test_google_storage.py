"""INPUT, SOURCE and --data on a local Google Cloud Storage: the same bytes as on the disk, and nothing half published."""

import signal
import time

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from harness import assert_clear_error, assert_same_trees, generate, run_pipeline, start, tapeworks
from object_servers import BUCKET, GoogleServer, Proxy, current_objects, disk_files, fill_bucket, google_environment
from object_servers import address as store_address


def address(key: str) -> str:
    return store_address(key, "gs")


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("objects"), rows=60_000, symbols=12, brokers=15, days=6, seed=3, extra=["--per-day"])


@pytest.fixture(scope="module")
def on_disk(source, tmp_path_factory):
    data = tmp_path_factory.mktemp("on_disk") / "data"
    run_pipeline(data, source)
    return data


@pytest.fixture(scope="module")
def server(source):
    server = GoogleServer()
    fill_bucket(server, source)
    yield server
    server.close()


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def env(proxy):
    return google_environment(proxy.port)


@pytest.fixture
def remote(server):
    """The address of a data directory in the bucket, and the prefix of its keys."""
    name = f"data-{time.monotonic_ns()}"
    return address(name), f"{name}.generations/"


def run_remote(data, env, **how):
    return tapeworks("run", address("in"), "--prices", address("prices.parquet"), "--data", data, env=env, **how)


@pytest.mark.parametrize("inputs", ["in", "in/year/*.parquet"])
def test_inputs_of_a_bucket_give_the_same_bytes(data, on_disk, env, inputs):
    tapeworks("run", address(inputs), "--prices", address("prices.parquet"), "--data", data, env=env)
    assert_same_trees(data, on_disk)


def test_the_endpoint_may_stand_in_the_address(data, source, proxy, tmp_path):
    tapeworks("sync", address(f"prices.parquet?endpoint_override=127.0.0.1:{proxy.port}&scheme=http"), "--data", data)
    tapeworks("sync", source.prices, "--data", tmp_path / "local")
    assert_same_trees(data, tmp_path / "local")


def test_prices_may_be_csv(data, server, env, source, tmp_path):
    pyarrow.csv.write_csv(pq.read_table(source.prices), tmp_path / "prices.csv")
    server.put("prices.csv", (tmp_path / "prices.csv").read_bytes())
    tapeworks("sync", address("prices.csv"), "--data", data, env=env)
    tapeworks("sync", source.prices, "--data", tmp_path / "local")
    assert_same_trees(data, tmp_path / "local")


def test_a_data_directory_in_a_bucket_has_the_same_bytes(server, env, remote, on_disk):
    data, prefix = remote
    run_remote(data, env)
    assert current_objects(server, prefix) == disk_files(on_disk)
    there = tapeworks("ranking", "--data", data, env=env)
    assert there.stdout and there.stdout == tapeworks("ranking", "--data", on_disk).stdout
    checked = tapeworks("verify", "--full", "--data", data, env=env)
    assert {r["status"] for r in checked.records()} <= {"ok", "warning", "not checked"}, checked


def test_a_run_in_steps_gives_the_same_bytes(server, env, remote, on_disk):
    """The later steps copy what did not change."""
    data, prefix = remote
    for command in (["etl", address("in")], ["sync", address("prices.parquet")], ["pnl"]):
        tapeworks(*command, "--data", data, env=env)
    assert current_objects(server, prefix) == disk_files(on_disk)
    tapeworks("etl", address("in"), "--incremental", "--data", data, env=env)
    assert [g["number"] for g in tapeworks("generations", "--data", data, env=env).records() if g["current"]] == [3]


def test_generations_are_listed_removed_and_gone_back_to(server, env, remote):
    data, prefix = remote
    for _ in range(4):
        tapeworks("sync", address("prices.parquet"), "--data", data, "--keep-generations-for", "0s", env=env)
    assert [g["number"] for g in tapeworks("generations", "--data", data, env=env).records()] == [3, 4]
    assert {key.removeprefix(prefix).split("/")[0].split("-")[0] for key in server.keys(prefix)} == {"000003", "000004", "current"}
    tapeworks("generations", "--back-to", "3", "--data", data, env=env)
    assert server.get(prefix + "current").startswith(b"000003-")


def test_an_object_hides_no_folder_of_its_name(server, env, remote):
    data, prefix = remote
    tapeworks("sync", address("prices.parquet"), "--data", data, env=env)
    server.put(prefix + server.get(prefix + "current").decode().strip(), b"")
    assert [g["number"] for g in tapeworks("generations", "--data", data, env=env).records()] == [1]


@pytest.mark.parametrize("share", [0.0, 0.5])
def test_a_connection_that_is_cut_publishes_nothing(data, proxy, env, source, share):
    proxy.cut_after(int(share * sum(path.stat().st_size for path in source.transactions.rglob("*.parquet"))))
    assert_clear_error(tapeworks("etl", address("in"), "--data", data, env=env, expect=4), f"gs://{BUCKET}/in")
    assert not data.exists()


@pytest.mark.parametrize("cut", [b"daily_summary", b"pnl", b"manifest.json", b"current"], ids=bytes.decode)
def test_a_server_that_is_killed_leaves_the_old_generation(server, env, remote, proxy, on_disk, source, cut):
    data, prefix = remote
    tapeworks("sync", source.prices, "--data", data, env=env)
    before = server.get(prefix + "current")
    proxy.cut_at(b"POST /upload/", cut)
    assert_clear_error(run_remote(data, env, expect=4), "gs://")
    assert server.get(prefix + "current") == before
    proxy.mend()
    tapeworks("verify", "--data", data, env=env)
    run_remote(data, env)
    assert current_objects(server, prefix) == disk_files(on_disk)


@pytest.mark.parametrize("moment", [b"ranking", b"run.json"], ids=bytes.decode)
def test_an_interrupted_run_leaves_nothing_below_its_generation(server, env, remote, proxy, moment):
    data, prefix = remote
    processes, seen = [], []

    def interrupt(_):
        seen.extend(server.keys(prefix))
        processes[0].send_signal(signal.SIGINT)

    proxy.call_at(moment, interrupt)
    processes.append(start("run", address("in"), "--prices", address("prices.parquet"), "--data", data, env=env))
    assert processes[0].wait(timeout=60) == 130
    assert seen, "nothing had been written yet"
    assert server.keys(prefix) == []


@pytest.mark.parametrize("wrong, code, facts", [
    (address("missing"), 2, ["gs://market/missing", "does not exist"]),
    ("gs://no-such-bucket/in", 2, ["gs://no-such-bucket/in"]),
    ("gs://market/in?region=red", 2, ["'region'"]),
    ("gs://me:s3cret@market/in", 2, ["credentials"]),
    (address("in/notes.txt"), 3, ["gs://market/in/notes.txt"]),
])
def test_a_wrong_address_is_named(data, env, wrong, code, facts):
    outcome = tapeworks("etl", wrong, "--data", data, env=env, expect=code)
    assert_clear_error(outcome, *facts)
    assert "s3cret" not in outcome.stderr
    assert not data.exists()


def test_a_bucket_that_is_not_there_cannot_be_written(env, source):
    assert_clear_error(tapeworks("sync", source.prices, "--data", "gs://no-such-bucket/data", env=env, expect=4), "no-such-bucket")
