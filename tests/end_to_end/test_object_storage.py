"""INPUT, SOURCE and --data on a local S3 server: the same bytes as on the disk, and what becomes of a cut connection."""

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from harness import assert_clear_error, assert_same_trees, data_files, generate, run_pipeline, tapeworks
from object_servers import BUCKET, SECRET_KEY, Proxy, S3Server, address, environment

ROWS = 60_000


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    return generate(tmp_path_factory.mktemp("objects"), rows=ROWS, symbols=12, brokers=15, days=6, seed=3, extra=["--per-day"])


@pytest.fixture(scope="module")
def on_disk(source, tmp_path_factory):
    data = tmp_path_factory.mktemp("on_disk") / "data"
    run_pipeline(data, source)
    return data


@pytest.fixture(scope="module")
def server(source):
    server = S3Server()
    for path in source.transactions.rglob("*.parquet"):
        server.put(f"in/year/{path.name}", path.read_bytes())
    server.put("in/_temporary/half.parquet", b"not Parquet")
    server.put("in/notes.txt", b"not Parquet either")
    server.put("prices.parquet", source.prices.read_bytes())
    yield server
    server.close()


@pytest.fixture
def proxy(server):
    proxy = Proxy(server.port)
    yield proxy
    proxy.close()


@pytest.fixture
def env(proxy):
    return environment(proxy.port)


# ---- reading ---------------------------------------------------------------------------------------

@pytest.mark.parametrize("inputs", ["in", "in/", "in/year/*.parquet"])
def test_inputs_of_a_bucket_give_the_same_bytes(data, on_disk, env, inputs):
    tapeworks("run", address(inputs), "--prices", address("prices.parquet"), "--data", data, env=env)
    assert_same_trees(data, on_disk)
    checked = tapeworks("verify", "--data", data, "--input", address(inputs), env=env)
    assert {"check": "input", "status": "ok"}.items() <= next(
        r for r in checked.records() if r["check"] == "input").items(), checked


def test_the_endpoint_may_stand_in_the_address(data, on_disk, source, proxy):
    env = environment(proxy.port)
    del env["AWS_ENDPOINT_URL_S3"]
    tapeworks("etl", address(f"in?endpoint_override=127.0.0.1:{proxy.port}&scheme=http"), "--data", data, env=env)
    same = data_files(on_disk)
    for name, path in data_files(data).items():
        if name.startswith("daily_summary/"):
            assert path.read_bytes() == same[name].read_bytes()


def test_an_increment_reads_only_what_is_new(data, on_disk, server, env, source):
    days = sorted(source.transactions.rglob("*.parquet"))
    for path in days[:-1]:
        server.put(f"growing/{path.name}", path.read_bytes())
    tapeworks("etl", address("growing"), "--data", data, env=env)
    server.put(f"growing/{days[-1].name}", days[-1].read_bytes())
    outcome = tapeworks("etl", address("growing"), "--incremental", "--data", data, "--stats", env=env)
    assert '"rows":' + str(pq.read_metadata(days[-1]).num_rows) + "," in outcome.stderr, outcome
    summaries = {n: p.read_bytes() for n, p in data_files(data).items() if n.startswith("daily_summary/")}
    assert summaries == {n: p.read_bytes() for n, p in data_files(on_disk).items() if n.startswith("daily_summary/")}


def test_prices_may_be_csv(data, server, env, source, tmp_path):
    pyarrow.csv.write_csv(pq.read_table(source.prices), tmp_path / "prices.csv")
    server.put("prices.csv", (tmp_path / "prices.csv").read_bytes())
    tapeworks("sync", address("prices.csv"), "--data", data, env=env)
    tapeworks("sync", source.prices, "--data", tmp_path / "local")
    assert_same_trees(data, tmp_path / "local")


@pytest.mark.parametrize("wrong, code, facts", [
    ("s3://market/missing", 2, ["s3://market/missing", "does not exist"]),
    ("s3://market/in/*.csv", 2, ["matches no object"]),
    ("s3://no-such-bucket/in", 2, ["s3://no-such-bucket/in"]),
    ("s3://market/in?color=red", 2, ["'color'", "endpoint_override"]),
    (f"s3://key:{SECRET_KEY}@market/in", 2, ["credentials", "environment"]),
    ("s3://", 2, ["no bucket"]),
    ("s3://market/in/notes.txt", 3, ["s3://market/in/notes.txt"]),
])
def test_a_wrong_address_is_named(data, env, wrong, code, facts):
    outcome = tapeworks("etl", wrong, "--data", data, env=env, expect=code)
    assert_clear_error(outcome, *facts)
    assert SECRET_KEY not in outcome.stderr
    assert not data.exists()


@pytest.mark.parametrize("wrong", ["s3://market/missing", "s3://market/in"])
def test_a_source_that_is_no_object_is_named(data, env, wrong):
    assert_clear_error(tapeworks("sync", wrong, "--data", data, env=env, expect=2), wrong)


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7])
def test_a_connection_that_is_cut_publishes_nothing(data, server, proxy, env, source, share):
    proxy.cut_after(int(share * sum(path.stat().st_size for path in source.transactions.rglob("*.parquet"))))
    outcome = tapeworks("etl", address("in"), "--data", data, env=env, expect=4)
    assert_clear_error(outcome, "s3://market/in", "connection")
    assert SECRET_KEY not in outcome.stderr
    assert not data.exists()
    proxy.mend()
    tapeworks("etl", address("in"), "--data", data, env=env)


def test_a_short_disturbance_is_waited_for(data, on_disk, proxy, source):
    import threading

    proxy.cut_after(50_000)
    mender = threading.Timer(1.5, proxy.mend)
    mender.start()
    tapeworks("run", address("in"), "--prices", source.prices, "--data", data,
              env=environment(proxy.port, TAPEWORKS_STORE_PATIENCE="20s"))
    mender.join()
    assert_same_trees(data, on_disk)


def test_nothing_is_loaded_where_no_address_is_used(data, source, tmp_path):
    trace = tmp_path / "libraries"
    tapeworks("etl", source.transactions, "--data", data, env={"LD_DEBUG": "files", "LD_DEBUG_OUTPUT": str(trace)})
    loaded = "".join(path.read_text(errors="replace") for path in tmp_path.glob("libraries.*"))
    assert "libarrow.so" in loaded and "libarrow_s3" not in loaded
