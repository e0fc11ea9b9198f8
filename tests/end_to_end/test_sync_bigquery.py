"""`sync bigquery://`: closes out of a local BigQuery (bqemulator) are those of the Parquet file they came from."""

import base64
import json
import os
import threading
import time
from pathlib import Path

import harness
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bigquery_servers import DATASET, PROJECT, Emulator, Front, address, environment, is_installed
from certificates import Authority
from harness import GOOD_PRICES, GOOD_ROWS, assert_clear_error, tapeworks

TOKEN = "ya29.s3cret-token_of-the.day"
RATE_LIMIT = {"error": {"message": "Exceeded rate limits", "errors": [{"reason": "rateLimitExceeded"}]}}
SECRETS = [TOKEN, "s3cret/client", "1//s3cret-refresh", "PRIVATE KEY"]

pytestmark = pytest.mark.skipif(not is_installed(), reason="BIGQUERY IS NOT TESTED: bqemulator is not installed; run scripts/setup.sh tests")


@pytest.fixture(scope="module")
def emulator():
    emulator = Emulator()
    rows = ", ".join(f"('x', '{symbol}', DATE '{day}', NUMERIC '{close}')" for symbol, day, close in GOOD_PRICES)
    emulator.execute(f"CREATE TABLE {DATASET}.prices (note STRING, coid STRING, mdate DATE, close_d NUMERIC)")
    emulator.execute(f"INSERT INTO {DATASET}.prices VALUES {rows}")
    yield emulator
    emulator.close()


@pytest.fixture
def front(emulator):
    front = Front(emulator.port)
    yield front
    front.close()


def sync(data: Path, source: str, endpoint: str, *options, expect=0, **env) -> harness.Outcome:
    outcome = tapeworks("sync", source, "--bigquery-endpoint", endpoint, "--data", data, *options, expect=expect, env=environment(**env))
    assert_no_secret(outcome, data)
    return outcome


def assert_no_secret(outcome: harness.Outcome, data: Path) -> None:
    files = [Path(folder) / file for folder, _, names in os.walk(harness.generations_folder(data)) for file in names]
    for secret in SECRETS:
        assert secret not in outcome.stdout + outcome.stderr, outcome
        for file in files:
            assert secret.encode() not in file.read_bytes(), f"{file} holds a secret"


def closes(data: Path) -> list[tuple]:
    table = pq.read_table(data / "price" / "close_prices.parquet")
    return [(row["symbol_id"], row["date"].isoformat(), row["close_price"]) for row in table.to_pylist()]


def query(sql: str) -> str:
    return f"bigquery://{PROJECT}?query={sql.replace('%', '%25').replace('&', '%26')}"


# ---- what comes out --------------------------------------------------------------------------------

def test_a_table_and_a_query(data, front):
    outcome = sync(data, address("prices"), front.url)
    assert closes(data) == sorted(GOOD_PRICES)
    assert "the query scans" in outcome.stderr
    assert json.loads((data / "run.json").read_text())["inputs"] == [{"database": address("prices")}]
    dry, real = front.queries()
    assert dry["dryRun"] and "dryRun" not in real
    assert real["query"].startswith("SELECT `coid`, `mdate`, `close_d` FROM"), "only the three columns are paid for"
    other = data.with_name("other")
    sync(other, query(f"SELECT coid AS symbol, mdate AS date, close_d + 1 AS c FROM {DATASET}.prices WHERE note LIKE '%x'"),
         front.url, "--column-close", "c")
    assert closes(other) == sorted((symbol, day, close + 1) for symbol, day, close in GOOD_PRICES)
    assert "LIKE" not in (other / "run.json").read_text()


def test_the_emulators_own_variable_is_enough(data, emulator):
    env = environment(BIGQUERY_EMULATOR_HOST=f"127.0.0.1:{emulator.port}")
    tapeworks("sync", address("prices"), "--data", data, env=env)
    assert closes(data) == sorted(GOOD_PRICES)


DATES = ["DATE '{}'", "'{}'", "TIMESTAMP '{} 00:00:00+08'", "DATETIME '{} 00:00:00'"]
CLOSES = ["NUMERIC '{}'", "BIGNUMERIC '{}'", "CAST('{}' AS FLOAT64)", "'{}'"]


@pytest.mark.parametrize("day_type", DATES, ids=["date", "string", "timestamp", "datetime"])
@pytest.mark.parametrize("close_type", CLOSES, ids=["numeric", "bignumeric", "float64", "string"])
def test_types(data, front, day_type, close_type):
    rows = " UNION ALL ".join(
        f"SELECT '{symbol}' AS SYMBOL, {day_type.format(day)} AS MDATE, {close_type.format(close)} AS Close" for symbol, day, close in GOOD_PRICES)
    sync(data, query(rows), front.url, "--since", "2023-01-04")
    assert closes(data) == sorted(row for row in GOOD_PRICES if row[1] >= "2023-01-04")


def test_whole_numbers_and_nulls(data, front):
    sync(data, query("SELECT '0050' AS symbol, DATE '2023-01-03' AS date, 7 AS close UNION ALL "
                     "SELECT '0050', DATE '2023-01-04', CAST(NULL AS INT64)"), front.url)
    assert closes(data) == [("0050", "2023-01-03", 7.0), ("0050", "2023-01-04", None)]


def test_many_pages_have_the_bytes_of_the_parquet_source(data, front, emulator, tmp_path):
    source = harness.generate(tmp_path / "in", rows=5_000, symbols=60, brokers=5, days=40)
    # Awkward: numbers with nine decimals, in no order.
    table = pq.read_table(source.prices)
    shuffled = table.take(pa.array([(i * 7919) % table.num_rows for i in range(table.num_rows)]))
    closes_as_text = pa.array([None if close is None else f"{close:.9f}" for close in shuffled["close_price"].to_pylist()])
    pq.write_table(shuffled.set_column(shuffled.schema.get_field_index("close_price"), "close_price", closes_as_text), tmp_path / "text.parquet")
    emulator.load_parquet("awkward_text", "symbol_id STRING, date DATE, close_price STRING", tmp_path / "text.parquet")
    emulator.execute(f"CREATE TABLE {DATASET}.awkward AS SELECT symbol_id, TIMESTAMP(date, 'Asia/Taipei') AS date, "
                     f"CAST(close_price AS NUMERIC) AS close_price FROM {DATASET}.awkward_text")
    tapeworks("sync", source.prices, "--data", tmp_path / "file")
    front.rows_per_page_max = 700
    sync(data, address("awkward"), front.url)
    assert front.pages == -(-table.num_rows // 700) > 2
    name = "price/close_prices.parquet"
    assert (data / name).read_bytes() == (tmp_path / "file" / name).read_bytes()


def test_a_table_is_asked_for_the_days_that_were_traded(data, front, tmp_path):
    tapeworks("etl", harness.write_transactions(tmp_path / "in.parquet", [row for row in GOOD_ROWS if row[0] == "2330"]), "--data", data)
    sync(data, address("prices"), front.url)
    assert closes(data) == sorted(row for row in GOOD_PRICES if row[0] == "2330")
    assert "2023-01-02" in front.queries()[-1]["query"], "days before are not scanned"


def test_run_takes_it_as_prices(data, front, tmp_path):
    transactions = harness.write_transactions(tmp_path / "in.parquet", GOOD_ROWS)
    tapeworks("run", transactions, "--prices", address("prices"), "--bigquery-endpoint", front.url, "--data", data, env=environment())
    assert closes(data) == sorted(GOOD_PRICES)


def test_a_correction_is_reported_and_makes_pnl_stale(data, front, emulator, tmp_path):
    emulator.execute(f"CREATE TABLE {DATASET}.corrected AS SELECT coid, mdate, close_d FROM {DATASET}.prices")
    transactions = harness.write_transactions(tmp_path / "in.parquet", GOOD_ROWS)
    tapeworks("run", transactions, "--prices", address("corrected"), "--bigquery-endpoint", front.url, "--data", data, env=environment())
    emulator.execute(f"UPDATE {DATASET}.corrected SET close_d = 520 WHERE coid = '2330' AND mdate = '2023-01-04'")
    outcome = sync(data, address("corrected"), front.url, "--incremental")
    assert "corrected: 2330 on 2023-01-04: 512 is 520 now" in outcome.stderr
    assert tapeworks("ranking", "--data", data, expect=1).exit_code == 1
    tapeworks("pnl", "--incremental", "--data", data)
    rebuilt = data.with_name("rebuilt")
    tapeworks("run", transactions, "--prices", address("corrected"), "--bigquery-endpoint", front.url, "--data", rebuilt, env=environment())
    # The manifest counts the rows that were read, which an increment has fewer of.
    assert {**harness.tree_hash(data), "manifest.json": ""} == {**harness.tree_hash(rebuilt), "manifest.json": ""}


# ---- cost ------------------------------------------------------------------------------------------

def test_the_cost_is_told_first_and_limited(data, front):
    front.scanned_bytes = 3 * 2**30
    outcome = sync(data, address("prices"), front.url)
    assert "the query scans 3.00 GiB" in outcome.stderr
    assert "maximumBytesBilled" not in front.queries()[-1]
    before = harness.tree_hash(data)
    count = len(front.queries())
    assert_clear_error(sync(data, address("prices"), front.url, "--max-bytes", "2GiB", expect=2), "3.00 GiB", "--max-bytes", "2.00 GiB")
    assert all(body.get("dryRun") for body in front.queries()[count:]), "the query was not run"
    assert harness.tree_hash(data) == before
    sync(data, address("prices"), front.url, "--max-bytes", "3GiB")
    assert int(front.queries()[-1]["maximumBytesBilled"]) >= 3 * 2**30, "the service guards the limit as well"


TOO_EXPENSIVE = "Query exceeded limit for bytes billed: 10485760. 11534336 or higher required."


@pytest.mark.parametrize("status, answer", [
    (400, {"error": {"message": TOO_EXPENSIVE, "errors": [{"reason": "bytesBilledLimitExceeded"}]}}),
    (500, {"error": {"message": TOO_EXPENSIVE, "errors": [{"reason": "bytesBilledLimitExceeded"}]}}),
    (200, {"jobComplete": True, "errors": [{"message": TOO_EXPENSIVE, "reason": "bytesBilledLimitExceeded"}]}),
], ids=["400", "500", "200"])
def test_what_the_service_finds_too_expensive_is_the_limit_of_the_user(data, front, status, answer):
    real = front.serve
    runs = []

    def serve(handler, body):
        if body and not json.loads(body).get("dryRun"):
            runs.append(body)
            front._send(handler, status, json.dumps(answer).encode())
            return
        real(handler, body)

    front.serve = serve
    outcome = sync(data, address("prices"), front.url, "--quiet", "--max-bytes", "1GiB", expect=2)
    assert_clear_error(outcome, "--max-bytes", "11534336 or higher required", "select fewer columns")
    assert len(runs) == 1, "asking again changes nothing"
    assert not data.exists()


@pytest.mark.parametrize("options, fact", [
    (["--max-bytes", "5"], "--max-bytes"),
    (["--bigquery-endpoint", "ftp://host"], "--bigquery-endpoint"),
    (["--bigquery-endpoint", "http://me:s3cret/client@host"], "--bigquery-endpoint"),
])
def test_wrong_options(data, options, fact):
    assert_clear_error(tapeworks("sync", address("prices"), *options, "--data", data, expect=2, env=environment()), fact)


def test_the_options_are_for_bigquery_alone(data, tmp_path):
    prices = harness.write_prices(tmp_path / "prices.parquet")
    assert_clear_error(tapeworks("sync", prices, "--max-bytes", "1GiB", "--data", data, expect=2), "bigquery://")


# ---- logins ----------------------------------------------------------------------------------------

def key_pair():
    from cryptography.hazmat.primitives import serialization
    from cryptography.hazmat.primitives.asymmetric import rsa

    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.public_key(), pem.decode()


def decoded(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))


def test_a_token_of_the_environment(data, front):
    front.tokens = {TOKEN}
    sync(data, address("prices"), front.url, GOOGLE_OAUTH_ACCESS_TOKEN=TOKEN)
    assert closes(data) == sorted(GOOD_PRICES)
    outcome = sync(data, address("prices"), front.url, expect=4, GOOGLE_OAUTH_ACCESS_TOKEN=f"{TOKEN}-expired")
    assert_clear_error(outcome, "the login is refused")
    assert_clear_error(sync(data, address("prices"), front.url, expect=4), "the login is refused")


def test_a_service_account_signs_for_a_token(data, front, tmp_path):
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    public_key, pem = key_pair()
    claims = []

    def token_of(form):
        header, body, signature = form["assertion"].split(".")
        public_key.verify(decoded(signature), f"{header}.{body}".encode(), padding.PKCS1v15(), hashes.SHA256())
        assert json.loads(decoded(header)) == {"alg": "RS256", "typ": "JWT", "kid": "7"}
        assert form["grant_type"] == "urn:ietf:params:oauth:grant-type:jwt-bearer"
        claims.append(json.loads(decoded(body)))
        return 200, {"access_token": TOKEN, "expires_in": 3600, "token_type": "Bearer"}

    front.form_to_token = token_of
    front.tokens = {TOKEN}
    key_file = tmp_path / "key.json"
    key_file.write_text(json.dumps({"type": "service_account", "client_email": "robot@tape", "private_key": pem, "private_key_id": "7",
                                    "token_uri": f"{front.url}/token"}))
    sync(data, address("prices"), front.url, GOOGLE_APPLICATION_CREDENTIALS=str(key_file))
    assert closes(data) == sorted(GOOD_PRICES)
    (claim,) = claims
    assert claim["iss"] == "robot@tape" and claim["aud"] == f"{front.url}/token"
    assert abs(claim["iat"] - time.time()) < 600 and claim["exp"] - claim["iat"] == 3600
    assert claim["scope"].endswith("/bigquery.readonly")

    front.form_to_token = lambda form: (400, {"error": "invalid_grant", "error_description": "account not found: robot@tape"})
    outcome = sync(data, address("prices"), front.url, expect=4, GOOGLE_APPLICATION_CREDENTIALS=str(key_file))
    assert_clear_error(outcome, "no access token", "account not found")


def test_a_user_trades_a_refresh_token(data, front, tmp_path):
    front.tokens = {TOKEN}
    front.form_to_token = lambda form: ((200, {"access_token": TOKEN, "expires_in": 3600}) if form == {
        "grant_type": "refresh_token", "client_id": "id", "client_secret": "s3cret/client", "refresh_token": "1//s3cret-refresh"}
        else (401, {"error": "invalid_client", "error_description": f"wrong: {form}"}))
    key_file = tmp_path / "key.json"
    login = {"type": "authorized_user", "client_id": "id", "client_secret": "s3cret/client", "refresh_token": "1//s3cret-refresh",
             "token_uri": f"{front.url}/token"}
    key_file.write_text(json.dumps(login))
    sync(data, address("prices"), front.url, GOOGLE_APPLICATION_CREDENTIALS=str(key_file))
    assert closes(data) == sorted(GOOD_PRICES)
    key_file.write_text(json.dumps({**login, "client_id": "other"}))
    assert_clear_error(sync(data, address("prices"), front.url, expect=4, GOOGLE_APPLICATION_CREDENTIALS=str(key_file)), "wrong:")


def test_google_itself_wants_a_login(data):
    assert_clear_error(tapeworks("sync", address("prices"), "--data", data, expect=2, env=environment()), "GOOGLE_APPLICATION_CREDENTIALS")


def test_an_emulator_gets_no_login(data, front):
    sync_env = environment(BIGQUERY_EMULATOR_HOST=f"127.0.0.1:{front.port}", GOOGLE_OAUTH_ACCESS_TOKEN=TOKEN)
    front.tokens = {TOKEN}
    assert_clear_error(tapeworks("sync", address("prices"), "--data", data, expect=4, env=sync_env), "the login is refused")


def test_a_name_that_begins_like_this_machine_gets_no_login(data, front):
    front.tokens = {TOKEN}
    env = {"http_proxy": front.url, "GOOGLE_OAUTH_ACCESS_TOKEN": TOKEN}
    assert_clear_error(sync(data, address("prices"), "http://127.example.org", expect=4, **env), "the login is refused", "credentials: None")


def test_no_proxy_is_on_the_way_to_this_machine(data, front, emulator):
    proxy = Front(emulator.port)
    try:
        front.tokens = {TOKEN}
        sync(data, address("prices"), front.url, http_proxy=proxy.url, all_proxy=proxy.url, GOOGLE_OAUTH_ACCESS_TOKEN=TOKEN)
        assert closes(data) == sorted(GOOD_PRICES)
        assert not proxy.requests
    finally:
        proxy.close()


def test_certificates_are_verified(data, emulator, tmp_path):
    authority = Authority(tmp_path)
    front = Front(emulator.port, authority.issue())
    try:
        assert_clear_error(sync(data, address("prices"), front.url, expect=4, GOOGLE_OAUTH_ACCESS_TOKEN=TOKEN), "certificate")
        assert not front.requests
        sync(data, address("prices"), front.url, SSL_CERT_FILE=str(authority.file))
        assert closes(data) == sorted(GOOD_PRICES)
    finally:
        front.close()


# ---- failures --------------------------------------------------------------------------------------

@pytest.mark.parametrize("source, exit_code, facts", [
    (address("nowhere"), 2, ["the table cannot be looked up", "nowhere"]),
    (address("prices", dataset="nowhere"), 2, ["nowhere"]),
    (address("prices", project="other-project"), 2, ["other-project"]),
    (f"bigquery://{PROJECT}/other-project.{DATASET}.prices", 2, ["other-project"]),
    (query("SELEC"), 2, ["the query failed"]),
    (query(f"SELECT nothing FROM {DATASET}.prices"), 2, ["nothing"]),
    (query(f"SELECT coid, mdate FROM {DATASET}.prices"), 3, ["no column is named like the close", "coid, mdate"]),
    (query(f"SELECT 50 AS symbol, mdate, close_d FROM {DATASET}.prices"), 3, ["'symbol'", "leading zeros"]),
    (query(f"SELECT coid, mdate, 'x' AS close FROM {DATASET}.prices"), 3, ["row 1", "close 'x' of 2330"]),
    (query(f"SELECT coid, mdate, TRUE AS close FROM {DATASET}.prices"), 3, ["'close'", "BOOL"]),
    (query(f"SELECT coid, mdate, b'x' AS close FROM {DATASET}.prices"), 3, ["'close'", "BYTES"]),
    (query(f"SELECT coid, mdate, [close_d] AS close FROM {DATASET}.prices"), 3, ["'close'", "ARRAY<"]),
    (query(f"SELECT coid, 5 AS date, close_d FROM {DATASET}.prices"), 3, ["'date'", "int64"]),
    (query(f"SELECT coid, DATETIME '2023-01-03 13:30:00' AS date, close_d FROM {DATASET}.prices"), 3, ["not midnight"]),
    (f"bigquery://{PROJECT}/prices", 2, ["DATASET.TABLE"]),
    (f"bigquery://{PROJECT}", 2, ["either DATASET.TABLE or query=SQL"]),
])
def test_failures_are_one_sentence_and_leave_the_old_prices(data, front, source, exit_code, facts):
    sync(data, address("prices"), front.url)
    before = harness.tree_hash(data)
    assert_clear_error(sync(data, source, front.url, "--quiet", expect=exit_code), *facts)
    assert harness.tree_hash(data) == before
    assert not harness.leftovers(data)


@pytest.mark.parametrize("part, status, answer, exit_code, facts", [
    ("/tables/", 403, {"error": {"message": "Access Denied: Table"}}, 4, ["access is denied", "Access Denied: Table"]),
    ("/tables/", 403, RATE_LIMIT, 4, ["too many requests", "Exceeded rate limits", "try again later"]),
    ("/queries", 500, {"error": {"message": "An internal error"}}, 4, ["HTTP status 500", "An internal error"]),
    ("/queries", 200, {"jobComplete": True}, 4, ["dry run"]),
    ("/tables/", 200, [], 4, ["cannot be read"]),
    ("/tables/", 200, {"schema": {}}, 4, ["names no columns"]),
])
def test_a_service_that_fails_is_quoted(data, front, part, status, answer, exit_code, facts):
    front.answers = {part: (status, answer)}
    assert_clear_error(sync(data, address("prices"), front.url, "--quiet", expect=exit_code), *facts)
    assert not data.exists()


def test_a_query_that_fails_while_it_runs_blames_the_data(data, front):
    """The dry run found nothing wrong with it."""
    source = query(f"SELECT coid, mdate, 1 / (CAST(close_d AS FLOAT64) - 512) AS close FROM {DATASET}.prices")
    real = front.serve

    def serve(handler, body):
        if body and not json.loads(body).get("dryRun"):
            front._send(handler, 400, b'{"error": {"message": "division by zero: 1 / 0"}}')
            return
        real(handler, body)

    front.serve = serve
    front.answers = {}
    rows = [{"name": n, "type": t} for n, t in (("coid", "STRING"), ("mdate", "DATE"), ("close", "FLOAT"))]
    dry = {"totalBytesProcessed": "1", "schema": {"fields": rows}}
    front.answers = {"/queries": (200, dry)}
    assert_clear_error(sync(data, source, front.url, "--quiet", expect=3), "division by zero")


def test_a_slow_query_is_waited_for(data, front):
    """The service says that it is still at work; then the rows come with the question for the result."""
    real = front.serve
    waits = []

    def serve(handler, body):
        if "/queries/" in handler.path and len(waits) < 2:
            waits.append(handler.path)
            front._send(handler, 200, json.dumps({"jobComplete": False, "jobReference": {"jobId": job["id"], "location": "EU"}}).encode())
            return
        if body and handler.path.endswith("/queries") and not json.loads(body).get("dryRun"):
            status, content = front._ask_emulator(handler.path, body)
            job["id"] = json.loads(content)["jobReference"]["jobId"]
            front._send(handler, 200, json.dumps({"jobComplete": False, "jobReference": {"jobId": job["id"], "location": "EU"}}).encode())
            return
        real(handler, body)

    job = {}
    front.serve = serve
    sync(data, address("prices"), front.url)
    assert closes(data) == sorted(GOOD_PRICES)
    assert len(waits) == 2 and all("location=EU" in path for path in waits)


@pytest.mark.parametrize("busy_answer", [(503, {"error": {"message": "busy"}}), (403, RATE_LIMIT)], ids=["503", "rate limit"])
def test_a_busy_service_is_asked_again(data, front, busy_answer):
    front.busy_answer = busy_answer
    front.busy_count = 3
    sync(data, address("prices"), front.url, TAPEWORKS_STORE_PATIENCE="20s")
    assert closes(data) == sorted(GOOD_PRICES)


@pytest.mark.parametrize("page", [1, 2, 3])
def test_a_server_that_dies_in_the_middle_publishes_nothing(data, front, tmp_path, page):
    harness.publish_good(data, tmp_path)
    before = harness.tree_hash(data)
    front.rows_per_page_max = 1
    front.cut_page = page
    outcome = sync(data, address("prices"), front.url, "--quiet", expect=4)
    assert_clear_error(outcome, address("prices"), "no answer from 127.0.0.1")
    assert harness.tree_hash(data) == before
    assert not harness.leftovers(data)


def test_nobody_there(data, front):
    front.close()
    assert_clear_error(sync(data, address("prices"), front.url, expect=4), "no answer from 127.0.0.1", "Failed to connect")


def test_rows_that_are_lost_are_noticed(data, front):
    real = front._ask_emulator

    def ask(path, body):
        status, content = real(path, body)
        answer = json.loads(content)
        if "rows" in answer and answer.get("totalRows") != "0":
            answer["totalRows"] = str(int(answer["totalRows"]) + 1)
        return status, json.dumps(answer).encode()

    front._ask_emulator = ask
    assert_clear_error(sync(data, address("prices"), front.url, "--quiet", expect=4), "only 4 of 5 rows")


def test_an_interrupt_ends_a_request_that_hangs(data, front, tmp_path):
    import signal

    asked, release = threading.Event(), threading.Event()

    def serve(handler, body):
        asked.set()
        release.wait(60)

    front.serve = serve
    with open(tmp_path / "stderr", "wb") as err:
        process = harness.start("sync", address("prices"), "--bigquery-endpoint", front.url, "--data", data, env=environment(), stderr=err)
    try:
        assert asked.wait(60)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130
    finally:
        release.set()
    assert not data.exists()
