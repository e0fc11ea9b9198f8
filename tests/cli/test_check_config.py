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
])
def test_a_mistake_is_one_sentence_with_the_line(config, text, message):
    outcome = tapeworks("check-config", "--config", config(text), expect=2)
    assert_clear_error(outcome, message)


def test_a_file_that_is_not_there(tmp_path):
    outcome = tapeworks("check-config", "--config", tmp_path / "none.toml", expect=2)
    assert_clear_error(outcome, "none.toml: the configuration cannot be read: No such file or directory")
