"""check-config: what is in force, where it comes from, and what each mistake is answered with."""

import json

import pytest

from harness import assert_clear_error, tapeworks

FEED = """
[[feed]]
exchange = "kucoin"
market = "spot"
symbols = ["BTC-USDT"]
"""


@pytest.fixture
def config(tmp_path):
    path = tmp_path / "recorder.toml"

    def write(text):
        path.write_text(text)
        return path

    return write


def settings(*arguments, env=None):
    outcome = tapeworks("check-config", *arguments, env=env)
    return {record["key"]: (record["value"], record["origin"]) for record in map(json.loads, outcome.stdout.splitlines())}


def test_it_says_what_is_in_force_and_where_that_comes_from(config):
    path = config("[output]\nlayout = 'market'\n[wal]\nkeep = '1h'\n" + FEED)
    found = settings("--config", path, "--set", "wal.buffer=8MiB", env={"TAPEWORKS_WAL_KEEP": "2h"})
    assert found["output.layout"] == ('"market"', f"{path}:2")
    assert found["wal.keep"] == ('"2h"', "TAPEWORKS_WAL_KEEP")
    assert found["wal.buffer"] == ('"8MiB"', "--set")
    assert found["output.dir"] == ('"recording"', "default")
    assert found["wal.dir"][0] == '"recording-wal"'
    assert found["feed[0].symbols"] == ('["BTC-USDT"]', f"{path}:9")


@pytest.mark.parametrize("text, message", [
    ("[wal]\nsink = 'x'\n" + FEED, "recorder.toml:2: there is no key sink in [wal]; did you mean sync?"),
    (FEED + "loss_policy = 'ignore'\n", "recorder.toml:6: feed.loss_policy 'ignore' is not one of wal, block, exit, drop"),
    ("[wal", "recorder.toml:1:"),
    ("", "there is no [[feed]]"),
    ("[output2]\n" + FEED, "recorder.toml:1: there is no section [output2]; did you mean output?"),
])
def test_a_mistake_is_one_sentence_with_the_line(config, text, message):
    outcome = tapeworks("check-config", "--config", config(text), expect=2)
    assert_clear_error(outcome, message)


def test_a_file_that_is_not_there(tmp_path):
    outcome = tapeworks("check-config", "--config", tmp_path / "none.toml", expect=2)
    assert_clear_error(outcome, "none.toml: the configuration cannot be read: No such file or directory")


SBE = '[[feed]]\nexchange = "binance"\nmarket = "spot"\nsymbols = ["BTCUSDT"]\ntransport = "sbe"\n'


@pytest.mark.parametrize("text, message", [
    ("[wal]\nkeep = '9999999h'\n" + FEED, "recorder.toml:2: wal.keep must be at most 876600h (100 years), not '9999999h'"),
    ("[retention]\nhours = 9999999\nallow_delete = true\n" + FEED, "recorder.toml:2: retention.hours must be at most 876600 (100 years)"),
    (FEED + "block_timeout = '40000d'\n", "recorder.toml:6: feed.block_timeout must be at most 876600h (100 years), not '40000d'"),
    ("[metrics]\nlisten = 'localhost:9465'\n" + FEED, "recorder.toml:2: metrics.listen 'localhost:9465' is no address to listen on"),
    ("[metrics]\nlisten = 'foo:80'\n" + FEED, "recorder.toml:2: metrics.listen 'foo:80' is no address to listen on"),
    ("[metrics]\nlisten = '127.0.0.1:99999'\n" + FEED, "recorder.toml:2: metrics.listen '127.0.0.1:99999' is no address to listen on"),
    (FEED + "endpoint = 'ws://127.0.0.1:abc'\n", "'ws://127.0.0.1:abc' is no address to connect to: the port must be a number from 1 to 65535"),
    (FEED + "rest_endpoint = 'http://127.0.0.1:99999'\n", "'http://127.0.0.1:99999' is no address to connect to"),
    (FEED + "proxy = 'http://127.0.0.1:99999'\n", "'http://127.0.0.1:99999' is no address to connect to"),
    (SBE, "recorder.toml:5: feed[0].transport is sbe, and Binance's SBE streams need a key; set TAPEWORKS_BINANCE_SBE_KEY to it"),
])
def test_what_record_cannot_do_both_refuse_and_nothing_is_touched(config, tmp_path, text, message):
    path = config(text)
    without_key = {"TAPEWORKS_BINANCE_SBE_KEY": ""}
    checked = tapeworks("check-config", "--config", path, env=without_key, expect=2)
    assert_clear_error(checked, message)
    recorded = tapeworks("record", "--config", path, "--for", "1s", cwd=tmp_path, env=without_key, expect=2)
    assert recorded.stderr == checked.stderr.replace("tapeworks check-config:", "tapeworks record:")
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


def test_a_key_in_the_environment_is_enough_for_sbe(config):
    assert settings("--config", config(SBE), env={"TAPEWORKS_BINANCE_SBE_KEY": "any"})["feed[0].transport"][0] == '"sbe"'
