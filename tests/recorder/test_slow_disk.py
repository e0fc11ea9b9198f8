"""Devices that are slow or stand still: the recorder's memory stays where it is, and what is lost is named."""

import pytest

from harness import SANITIZERS
from recorded_tables import VENUES
from scripted_day import has_scripted_clock
from slow_disk import (
    record_an_hour_change_on_a_slow_disk,
    record_and_kill_before_a_connect_is_durable,
    record_with_slow_output,
    record_with_stalled_log,
)

pytestmark = pytest.mark.skipif(bool(SANITIZERS), reason="a preloaded library comes before the sanitizer's own")


def test_an_output_that_is_nearly_dead_costs_neither_memory_nor_messages(tmp_path):
    # Small parts, so that a short run writes some.
    counts = record_with_slow_output(tmp_path, seconds=8, rate="2000/s", symbols=4, output="part_rows = 128\n")
    assert counts["backlog"] > 5000, counts
    assert counts["peak_mib"] < counts["before_mib"] + 16, counts
    assert counts["missing"] == counts["on_their_way"], counts


@pytest.mark.parametrize("policy", ["wal", "block", "drop"])
def test_a_log_that_stands_still_loses_what_its_gaps_say(tmp_path, policy):
    counts = record_with_stalled_log(tmp_path, policy, stall_s=6, rate="4000/s")
    assert (counts["dropped"] > 0) == (policy == "drop"), counts
    assert (counts["blocked"] > 0) == (policy != "drop"), counts
    assert any(name.startswith("gaps_") for name in counts), counts


@pytest.mark.skipif(not has_scripted_clock(), reason="this build has no scripted clock (TAPEWORKS_TEST_CLOCK)")
def test_messages_do_not_wait_for_the_files_of_an_hour(tmp_path):
    counts = record_an_hour_change_on_a_slow_disk(tmp_path, rate=4000, symbols=4)
    assert counts["files"] >= 20 and counts["merging_s"] > 5, counts
    assert counts["waited"] < counts["came"] / 4, counts


def test_what_was_received_before_a_connect_was_durable_is_a_gap(tmp_path):
    counts = record_and_kill_before_a_connect_is_durable(tmp_path)
    # Else the first process was not killed in time.
    assert counts["connects"] == len(VENUES), counts
    assert counts["missing"] >= counts["lost"] > 100, counts
