"""`sync adbc:`: closes out of SQLite, DuckDB and PostgreSQL are those of the Parquet file they came from."""

import importlib.util
import os
import sqlite3
from pathlib import Path
from urllib.parse import quote

import databases
import harness
import pyarrow.parquet as pq
import pytest
from harness import GOOD_PRICES, GOOD_ROWS, assert_clear_error, tapeworks

PASSWORD = "s3cret/of@the:day"


def driver_folder(name: str) -> str:
    spec = importlib.util.find_spec(f"adbc_driver_{name}")
    assert spec, f"adbc-driver-{name} is not installed; run scripts/setup.sh tests"
    return spec.submodule_search_locations[0]


def source(driver: str, **options) -> str:
    settings = "&".join(f"{key.replace('__', '.')}={quote(str(value), safe='/:$@{}')}" for key, value in options.items())
    return f"adbc:{driver}?{settings}"


def sync(data: Path, address: str, *options, expect=0, **env) -> harness.Outcome:
    drivers = os.pathsep.join(driver_folder(name) for name in ("sqlite", "postgresql"))
    outcome = tapeworks("sync", address, "--data", data, *options, expect=expect, env={"ADBC_DRIVER_PATH": drivers, **env})
    assert PASSWORD not in outcome.stdout + outcome.stderr
    for folder, _, files in os.walk(harness.generations_folder(data)):
        for file in files:
            content = (Path(folder) / file).read_bytes()
            assert PASSWORD.encode() not in content, f"{file} holds the password"
    return outcome


def closes(data: Path) -> list[tuple]:
    table = pq.read_table(data / "price" / "close_prices.parquet")
    return [(row["symbol_id"], row["date"].isoformat(), row["close_price"]) for row in table.to_pylist()]


@pytest.fixture
def sqlite_file(tmp_path):
    path = tmp_path / "my prices?.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE prices (note TEXT, coid TEXT, mdate TEXT, close_d REAL)")
        database.executemany("INSERT INTO prices VALUES ('x', ?, ?, ?)", GOOD_PRICES)
    return path


def test_sqlite_by_name_and_by_path(data, sqlite_file):
    sync(data, source("sqlite", uri=sqlite_file, table="prices"))
    assert closes(data) == sorted(GOOD_PRICES)
    library = Path(driver_folder("sqlite")) / "libadbc_driver_sqlite.so"
    other = data.with_name("other")
    sync(other, source(str(library), uri=sqlite_file, query="SELECT coid AS symbol, mdate AS date, close_d + 1 AS c FROM prices"),
         "--column-close", "c")
    assert closes(other) == sorted((symbol, day, close + 1) for symbol, day, close in GOOD_PRICES)


def test_a_table_is_read_for_the_symbols_and_days_that_were_traded(data, sqlite_file, tmp_path):
    inputs = harness.write_transactions(tmp_path / "in.parquet", [row for row in GOOD_ROWS if row[0] == "2330"])
    tapeworks("etl", inputs, "--data", data)
    with sqlite3.connect(sqlite_file) as database:
        database.execute("INSERT INTO prices VALUES ('x', '2330', '2023-01-02', 499)")
    sync(data, source("sqlite", uri=sqlite_file, table="prices"))
    wanted = sorted(row for row in GOOD_PRICES if row[0] == "2330")
    assert closes(data) == wanted
    sync(data, source("sqlite", uri=sqlite_file, table="prices"), "--since", "2023-01-01")
    assert closes(data) == [("2330", "2023-01-02", 499.0), *wanted]
    sync(data, source("sqlite", uri=sqlite_file, query="SELECT * FROM prices"))
    assert len(closes(data)) == len(GOOD_PRICES) + 1


@pytest.mark.parametrize("how, exit_code, facts", [
    (dict(driver="nonesuch", table="prices"), 4, ["driver cannot be loaded", "nonesuch"]),
    (dict(driver="sqlite", table="nowhere"), 2, ["no such table"]),
    (dict(driver="sqlite", query="SELEC"), 2, ["syntax error"]),
    (dict(driver="sqlite", table="prices", bogus="1"), 2, ["bogus"]),
    (dict(driver="sqlite", table="prices", statement__bogus="1"), 2, ["statement.bogus"]),
    (dict(driver="sqlite", query="SELECT coid, mdate FROM prices"), 3, ["no column is named like the close", "coid, mdate"]),
    (dict(driver="sqlite", query="SELECT 50 AS symbol, mdate, close_d FROM prices"), 3, ["'symbol'", "leading zeros"]),
    (dict(driver="sqlite", query="SELECT coid, mdate, 'x' AS close FROM prices"), 3, ["row 1", "close 'x' of 2330"]),
    (dict(driver="sqlite", query="SELECT coid, 5 AS date, close_d FROM prices"), 3, ["'date'", "int64"]),
    (dict(driver="sqlite", table="prices", uri="/nowhere/prices.db"), 4, ["cannot be opened"]),
    (dict(driver="sqlite", table="prices", password=PASSWORD), 2, ["holds a credential"]),
    (dict(driver="sqlite", table="prices", password="${TW_NOT_SET}"), 2, ["TW_NOT_SET"]),
    (dict(driver="sqlite", table="prices", uri="${TW_URI}"), 4, ["cannot be opened", "***"]),
])
def test_failures_are_one_sentence_and_leave_the_old_prices(data, sqlite_file, how, exit_code, facts):
    sync(data, source("sqlite", uri=sqlite_file, table="prices"))
    before = harness.tree_hash(data)
    how = {"uri": sqlite_file, **how}
    outcome = sync(data, source(how.pop("driver"), **how), expect=exit_code, TW_URI=f"/nowhere/{PASSWORD}")
    assert_clear_error(outcome, *facts)
    assert harness.tree_hash(data) == before
    assert not harness.leftovers(data)


def test_a_path_that_does_not_exist_makes_no_database(data, tmp_path):
    sync(data, source("sqlite", uri=tmp_path / "typo.db", table="prices"), expect=4)
    assert not (tmp_path / "typo.db").exists()


def test_values_that_change_their_type_late_are_refused(data, tmp_path):
    """SQLite's driver takes the type of a column from the first rows."""
    path = tmp_path / "prices.db"
    with sqlite3.connect(path) as database:
        database.execute("CREATE TABLE prices (symbol TEXT, date TEXT, close)")
        database.executemany("INSERT INTO prices VALUES (?, '2023-01-03', ?)",
                             [(f"{n:04}", 10 if n < 5000 else 10.5) for n in range(6000)])
    assert_clear_error(sync(data, source("sqlite", uri=path, table="prices"), expect=3), "CAST")
    sync(data, source("sqlite", uri=path, query="SELECT symbol, date, CAST(close AS REAL) AS close FROM prices"))
    assert closes(data)[-1] == ("5999", "2023-01-03", 10.5)


needs_duckdb = pytest.mark.skipif("TAPEWORKS_DUCKDB_LIBRARY" not in os.environ,
                                  reason="DUCKDB IS NOT TESTED: there is no libduckdb.so; run scripts/setup.sh tests")


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("duckdb", marks=needs_duckdb)])
def test_a_database_of_one_file_has_the_bytes_of_the_parquet_source(data, tmp_path, kind):
    parquet = harness.generate(tmp_path / "in", rows=5_000, symbols=120, brokers=5, days=80).prices
    tapeworks("sync", parquet, "--data", tmp_path / "file")
    sync(data, databases.fill_file(kind, tmp_path / "prices.db", parquet))
    name = "price/close_prices.parquet"
    assert pq.read_metadata(data / name).num_rows > 5_000
    assert (data / name).read_bytes() == (tmp_path / "file" / name).read_bytes()


@needs_duckdb
def test_duckdb_decimals_dates_and_failures(data, tmp_path):
    library = os.environ["TAPEWORKS_DUCKDB_LIBRARY"]
    harness.write_prices(tmp_path / "prices.parquet")
    query = ("SELECT symbol_id, date::TIMESTAMP AS date, close_price::DECIMAL(18, 4) AS close "
             f"FROM '{tmp_path / 'prices.parquet'}'")
    how = {"path": ":memory:", "entrypoint": "duckdb_adbc_init"}
    sync(data, source(library, query=query, **how))
    assert closes(data) == sorted(GOOD_PRICES)
    before = harness.tree_hash(data)
    assert_clear_error(sync(data, source(library, table="nowhere", **how), expect=2), "nowhere")
    assert_clear_error(sync(data, source(library, table="nowhere", bogus=1, **how), expect=2), "bogus")
    assert_clear_error(sync(data, source(library, table="t", path=":memory:"), expect=4), "driver cannot be loaded")
    assert harness.tree_hash(data) == before


@pytest.fixture(scope="module")
def postgres():
    if not databases.postgres_is_installed():
        pytest.skip("POSTGRESQL IS NOT TESTED: postgresql-15 is not installed; run scripts/setup.sh tests")
    server = databases.PostgresServer(PASSWORD)
    try:
        rows = ", ".join(f"('{symbol}', '{day}', {close})" for symbol, day, close in GOOD_PRICES)
        server.execute(f"CREATE TABLE prices (coid text, mdate date, close_d numeric); INSERT INTO prices VALUES {rows};")
        yield server
    finally:
        server.remove()


def sync_postgres(data, server, *options, expect=0, password=PASSWORD, **how):
    how = {"uri": server.uri("${TW_DB_PASSWORD}"), **how}
    return sync(data, source("postgresql", **how), *options, expect=expect, TW_DB_PASSWORD=password)


@pytest.mark.parametrize("symbol", ["text", "varchar(9)", "char(9)"])
@pytest.mark.parametrize("day", ["date", "timestamp", "text", "timestamptz"])
@pytest.mark.parametrize("close", ["numeric", "numeric(12, 4)", "real", "double precision", "text"])
def test_postgres_types(data, postgres, symbol, day, close):
    at = "mdate::timestamp AT TIME ZONE 'Asia/Taipei'" if day == "timestamptz" else f"mdate::{day}"
    postgres.execute(f"DROP VIEW IF EXISTS typed; CREATE VIEW typed AS SELECT coid::{symbol} AS \"COID\", {at} AS \"MDATE\", "
                     f"close_d::{close} AS close FROM prices;")
    sync_postgres(data, postgres, "--since", "2023-01-04", table="public.typed")
    assert closes(data) == sorted(row for row in GOOD_PRICES if row[1] >= "2023-01-04")


@pytest.mark.parametrize("how, exit_code, facts", [
    (dict(table="prices", password="wr0ng"), 4, ["cannot be opened", "password authentication failed"]),
    (dict(table="nowhere"), 2, ['"nowhere" does not exist']),
    (dict(table="prices", bogus=1), 2, ["bogus"]),
    (dict(table="prices", uri="postgresql://tape@/postgres?host=/nowhere"), 4, ["cannot be opened"]),
    (dict(query="SELECT coid, mdate, 'NaN'::numeric AS close FROM prices"), 3, ["is no number"]),
    (dict(query="SELECT coid, mdate, 5::money AS close FROM prices"), 3, ["money"]),
    (dict(query="SELECT coid, mdate, true AS close FROM prices"), 3, ["'close'", "bool"]),
    (dict(query="SELECT coid, mdate, 1 / (close_d::int - 512) AS close FROM prices"), 3, ["division by zero"]),
    (dict(query="SELECT coid, 'infinity'::date AS date, close_d FROM prices"), 3, ["the date is outside"]),
])
def test_postgres_failures(data, postgres, how, exit_code, facts):
    sync_postgres(data, postgres, table="prices")
    before = harness.tree_hash(data)
    assert_clear_error(sync_postgres(data, postgres, expect=exit_code, **how), *facts)
    assert harness.tree_hash(data) == before


def test_postgres_has_the_bytes_of_the_parquet_source(data, postgres, tmp_path):
    """Batch by batch: more rows than the driver puts into one, in no order, of types that need care."""
    parquet = harness.generate(tmp_path / "in", rows=5_000, symbols=1_500, brokers=5, days=80).prices
    tapeworks("sync", parquet, "--data", tmp_path / "file")
    rows = ", ".join(f"('{row['symbol_id']}', '{row['date']}', {'NULL' if row['close_price'] is None else row['close_price']})"
                     for row in pq.read_table(parquet).to_pylist())
    postgres.execute(f"CREATE TABLE given (s text, d date, c numeric(18, 9)); INSERT INTO given VALUES {rows}; "
                     "CREATE TABLE awkward AS SELECT s::char(8) AS coid, d::timestamp AT TIME ZONE 'Asia/Taipei' AS mdate, c AS close_d, "
                     "1::money AS volume FROM given ORDER BY md5(s || d::text);")
    sync_postgres(data, postgres, "--memory", "256MiB", table="awkward")
    name = "price/close_prices.parquet"
    assert pq.read_metadata(data / name).num_rows > 100_000
    assert (data / name).read_bytes() == (tmp_path / "file" / name).read_bytes()


def test_a_postgres_server_that_dies_publishes_nothing(data, tmp_path):
    if not databases.postgres_is_installed():
        pytest.skip("POSTGRESQL IS NOT TESTED: postgresql-15 is not installed; run scripts/setup.sh tests")
    server = databases.PostgresServer(PASSWORD)
    try:
        harness.publish_good(data, tmp_path)
        before = harness.tree_hash(data)
        # Row after row takes 10 ms, so that the connection ends in the middle.
        slow = ("SELECT n::text AS symbol, date '2023-01-03' AS date, 1.0 AS close "
                "FROM generate_series(1, 100000) n WHERE pg_sleep(0.01) IS NOT NULL")
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("ADBC_DRIVER_PATH", driver_folder("postgresql"))
            patch.setenv("PGPASSWORD", PASSWORD)
            uri = f"postgresql://tape@/postgres?host={server.folder}"
            with open(tmp_path / "stderr", "wb") as err:
                process = harness.start("sync", source("postgresql", uri=uri, query=slow), "--data", data, stderr=err)
            server.execute("DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_stat_activity WHERE query LIKE '%generate_series(1, 100000)%' "
                           "AND pid <> pg_backend_pid() AND state = 'active') LOOP "
                           "PERFORM pg_sleep(0.05); PERFORM pg_stat_clear_snapshot(); END LOOP; END $$;")
            server.stop()
            assert process.wait(timeout=60) == 4
        lines = (tmp_path / "stderr").read_text().strip().splitlines()
        assert len(lines) == 1 and "adbc:postgresql" in lines[0]
        assert PASSWORD not in lines[0]
        assert harness.tree_hash(data) == before
        assert not harness.leftovers(data)
    finally:
        server.remove()
