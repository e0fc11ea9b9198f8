"""INPUT, SOURCE and --data on a local S3 server: the same bytes as on the disk, and what becomes of a cut connection."""

import time

import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from harness import assert_clear_error, assert_same_trees, data_files, generate, run_pipeline, start, tapeworks
from object_servers import BUCKET, SECRET_KEY, Proxy, S3Server, address, current_objects, disk_files, environment, fill_bucket

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


# ---- data directories ------------------------------------------------------------------------------

@pytest.fixture
def remote(server):
    """The address of a data directory in the bucket, and the prefix of its keys."""
    name = f"data-{len(server.keys())}-{time.monotonic_ns()}"
    return address(name), f"{name}.generations/"


def run_remote(remote, env, *options, **how):
    return tapeworks("run", address("in"), "--prices", address("prices.parquet"), "--data", remote, *options, env=env, **how)


def test_a_data_directory_in_a_bucket_has_the_same_bytes(server, env, remote, on_disk, tmp_path):
    data, prefix = remote
    run_remote(data, env)
    assert current_objects(server, prefix) == disk_files(on_disk)
    for question in (["ranking"], ["query", "9A00"], ["rolling", "--years", "1"], ["symbol", "--top", "3"],
                     ["check-prices"]):
        if question[0] == "symbol":
            symbol = next(n for n in disk_files(on_disk) if n.startswith("pnl/")).removeprefix("pnl/").removesuffix(".parquet")
            question = ["symbol", symbol, "--top", "3"]
        if question[0] == "query":
            question = ["query", tapeworks("ranking", "--data", on_disk).records()[0]["broker"]]
        there = tapeworks(*question, "--data", data, env=env)
        assert (there.stdout or question == ["check-prices"]) and there.stdout == tapeworks(*question, "--data", on_disk).stdout
    checked = tapeworks("verify", "--full", "--data", data, env=env)
    assert {r["status"] for r in checked.records()} <= {"ok", "warning", "not checked"}, checked
    assert next(r["status"] for r in checked.records() if r["check"] == "checkpoints") == "ok", checked
    path = tapeworks("path", "--data", data, env=env).stdout.strip()
    assert path.startswith(address(prefix + "000001-"))
    assert server.get(path.removeprefix(f"s3://{BUCKET}/") + "/manifest.json") == (on_disk / "manifest.json").read_bytes()


def test_a_run_in_steps_gives_the_same_bytes(server, env, remote, on_disk):
    data, prefix = remote
    for command in (["etl", address("in")], ["sync", address("prices.parquet")], ["pnl"]):
        tapeworks(*command, "--data", data, env=env)
    assert current_objects(server, prefix) == disk_files(on_disk)
    unchanged = tapeworks("etl", address("in"), "--incremental", "--data", data, env=env)
    assert [g["number"] for g in tapeworks("generations", "--data", data, env=env).records() if g["current"]] == [3], unchanged


@pytest.fixture
def growing(server, source):
    """The address of all days but the last, and what brings that one as well."""
    days = sorted(source.transactions.rglob("*.parquet"))
    prefix = f"growing-{time.monotonic_ns()}"
    for path in days[:-1]:
        server.put(f"{prefix}/{path.name}", path.read_bytes())
    return address(prefix), lambda: server.put(f"{prefix}/{days[-1].name}", days[-1].read_bytes())


@pytest.mark.parametrize("verify_every", ["30d", "0s"])
def test_an_incremental_run_in_a_bucket_gives_the_bytes_of_a_rebuild(server, env, remote, on_disk, growing, verify_every):
    (data, prefix), (inputs, deliver) = remote, growing

    def run():
        return tapeworks("run", inputs, "--prices", address("prices.parquet"), "--data", data, "--incremental",
                         "--verify-every", verify_every, env=env)

    run()
    deliver()
    assert "cannot be used" not in run().stderr
    assert current_objects(server, prefix) == disk_files(on_disk)
    assert ("nothing new" in run().stdout) == (verify_every != "0s"), "the day of a verification is noted"
    assert current_objects(server, prefix) == disk_files(on_disk)


def test_a_verification_in_a_bucket_finds_what_was_damaged(server, env, remote, growing):
    (data, prefix), (inputs, _) = remote, growing
    run = ["run", inputs, "--prices", address("prices.parquet"), "--data", data, "--incremental", "--verify-every", "0s"]
    tapeworks(*run, env=env)
    generation = prefix + server.get(prefix + "current").decode().strip()
    victim = next(key for key in server.keys(generation) if "/fifo_state/" in key)
    content = bytearray(server.get(victim))
    content[len(content) // 2] ^= 1
    server.put(victim, bytes(content))
    outcome = tapeworks(*run, env=env, expect=1)
    assert "fifo_state" in outcome.stderr and "nothing was published" in outcome.stderr
    assert prefix + server.get(prefix + "current").decode().strip() == generation


def test_a_verification_takes_objects_whose_names_look_like_patterns(server, env, data, source):
    first, second = sorted(source.transactions.rglob("*.parquet"))[:2]
    server.put("odd/day[1].parquet", first.read_bytes())
    etl = ["etl", address("odd"), "--incremental", "--verify-every", "0s", "--data", data]
    tapeworks(*etl, env=env)
    server.put("odd/day*2.parquet", second.read_bytes())
    tapeworks(*etl, env=env)
    tapeworks(*etl, env=env)


def test_plan_knows_the_size_of_inputs_in_a_bucket(server, env, data, proxy, growing):
    """As it is now, or as it was when the store does not answer."""
    inputs, _ = growing

    def expected_seconds():
        return tapeworks("plan", "--data", data, "--format", "jsonl", env=env).records()[0]["expected_full_seconds"]

    tapeworks("run", inputs, "--prices", address("prices.parquet"), "--data", data, env=env)
    measured = expected_seconds()
    largest = max(server.keys(inputs.removeprefix(f"s3://{BUCKET}/")))
    server.put(largest, server.get(largest) * 3)
    assert expected_seconds() > measured
    proxy.cut()
    assert expected_seconds() == measured


def test_generations_are_listed_kept_and_gone_back_to(server, env, remote):
    data, prefix = remote
    for _ in range(4):
        tapeworks("sync", address("prices.parquet"), "--data", data, "--keep-generations-for", "0s", env=env)
    listed = tapeworks("generations", "--data", data, env=env).records()
    assert [g["number"] for g in listed] == [3, 4]
    assert {key.removeprefix(prefix).split("/")[0].split("-")[0] for key in server.keys(prefix)} - {""} == {
        "000003", "000004", "current"}
    tapeworks("generations", "--back-to", "3", "--data", data, env=env)
    assert server.get(prefix + "current").startswith(b"000003-")
    assert_clear_error(tapeworks("generations", "--back-to", "2", "--data", data, env=env, expect=1), "no generation 2")
    tapeworks("sync", address("prices.parquet"), "--data", data, env=env)
    assert server.get(prefix + "current").startswith(b"000005-")


def test_generations_are_kept_as_long_as_readers_were_promised(server, env, remote):
    data, prefix = remote
    for _ in range(4):
        tapeworks("sync", address("prices.parquet"), "--data", data, env=env)
    assert [g["number"] for g in tapeworks("generations", "--data", data, env=env).records()] == [1, 2, 3, 4]


def test_two_writers_never_mix(server, env, remote, proxy, source):
    """The second one publishes while the first one reads; the first one notices."""
    data, prefix = remote
    tapeworks("sync", source.prices, "--data", data, env=env)
    published = []

    def publish_another(_):
        published.append(tapeworks("sync", source.prices, "--data", data, env=environment(server.port)))

    proxy.call_at(b"PUT /market/" + prefix.encode() + b"000002", publish_another)
    outcome = tapeworks("sync", source.prices, "--data", data, env=env, expect=4)
    assert published
    assert_clear_error(outcome, "published by somebody else")
    names = {key.removeprefix(prefix).split("/")[0] for key in server.keys(prefix)}
    assert len([n for n in names if n.startswith("000002")]) == 1, "what the first one wrote is gone"
    tapeworks("verify", "--data", data, env=env)


CUTS = [b"GET", b"/daily_summary/", b"/pnl/", b"/derived/", b"/run.json", b"/manifest.json", b"PUT-pointer"]


@pytest.mark.parametrize("cut", CUTS, ids=lambda cut: cut.decode().strip("/"))
def test_a_server_that_is_killed_leaves_the_old_generation(server, env, remote, proxy, on_disk, source, cut):
    data, prefix = remote
    tapeworks("sync", source.prices, "--data", data, env=env)
    before = server.get(prefix + "current")
    marker = b"PUT /market/" + prefix.encode() + b"current" if cut == b"PUT-pointer" else cut
    proxy.cut_at(b"PUT" if marker == cut and cut != b"GET" else marker, marker)
    outcome = run_remote(data, env, expect=4)
    assert_clear_error(outcome, "s3://", "connection")
    assert SECRET_KEY not in outcome.stderr
    assert server.get(prefix + "current") == before
    proxy.mend()
    tapeworks("verify", "--data", data, env=env)
    run_remote(data, env)
    assert current_objects(server, prefix) == disk_files(on_disk)
    names = {key.removeprefix(prefix).split("/")[0] for key in server.keys(prefix)} - {"current", ""}
    # Two generations and the mark of the first one; and what may have been published, as far as the program could see.
    assert len(names) == (4 if cut == b"PUT-pointer" else 3), names


def test_a_killed_process_leaves_the_old_generation(server, env, remote, proxy, on_disk, source):
    data, prefix = remote
    tapeworks("sync", source.prices, "--data", data, env=env)
    before = server.get(prefix + "current")
    processes = []
    proxy.call_at(b"/pnl/", lambda _: processes[0].kill())
    processes.append(start("run", address("in"), "--prices", source.prices, "--data", data, env=env))
    assert processes[0].wait(timeout=60) == -9
    assert server.get(prefix + "current") == before
    run_remote(data, env)
    assert current_objects(server, prefix) == disk_files(on_disk)
    assert len({key.removeprefix(prefix).split("/")[0] for key in server.keys(prefix)} - {"current", ""}) == 3


@pytest.mark.parametrize("wrong, code, fact", [
    ("s3://market", 2, "whole bucket"),
    ("s3://market/nothing", 2, "no data directory"),
    ("s3://no-such-bucket/data", 2, "no data directory"),
])
def test_a_data_directory_that_is_not_there_is_named(env, wrong, code, fact):
    assert_clear_error(tapeworks("ranking", "--data", wrong, env=env, expect=code), wrong, fact)


def test_a_generation_is_no_data_directory(env, remote, source):
    data, _ = remote
    tapeworks("sync", source.prices, "--data", data, env=env)
    path = tapeworks("path", "--data", data, env=env).stdout.strip()
    assert_clear_error(tapeworks("ranking", "--data", path, env=env, expect=2), "one generation", data)


def test_a_bucket_that_is_not_there_cannot_be_written(env, source):
    assert_clear_error(tapeworks("sync", source.prices, "--data", "s3://no-such-bucket/data", env=env, expect=4), "no-such-bucket")


def test_damage_in_a_bucket_is_found(server, env, remote):
    data, prefix = remote
    run_remote(data, env)
    generation = prefix + server.get(prefix + "current").decode().strip()
    victim = next(key for key in server.keys(generation) if "/pnl/" in key and "/checkpoint/" not in key)
    content = bytearray(server.get(victim))
    content[len(content) // 2] ^= 1
    server.put(victim, bytes(content))
    server.put(generation + "/stray.parquet", b"?")
    failed = {r["check"]: r for r in tapeworks("verify", "--data", data, env=env, expect=1).records() if r["status"] == "failed"}
    assert victim.rsplit("/", 2)[-1] in failed["files"]["detail"]
    assert "stray.parquet" in failed["unlisted_files"]["detail"]


# ---- a store that is far away ----------------------------------------------------------------------

def test_reads_are_issued_ahead_and_beside_each_other(data, proxy, env, server, tmp_path):
    """One thread asks for all columns of a row group, and for several blocks of a large one, before it needs them."""
    far = generate(tmp_path / "far", rows=1_500_000, symbols=60, brokers=50, days=10, seed=5)
    server.put("far/broker_tx.parquet", far.transactions.read_bytes())
    assert pq.ParquetFile(far.transactions).metadata.row_group(0).total_byte_size > 2 * 2**20
    proxy.delay_seconds = 0.03
    tapeworks("etl", address("far"), "--data", data, "--threads", "1", env=env)
    columns = 7
    assert proxy.waiting_max >= columns, "the time of the requests would add up"
    tapeworks("etl", far.transactions, "--data", tmp_path / "local")
    assert_same_trees(data, tmp_path / "local")
