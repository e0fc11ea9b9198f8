"""Hours, a change of the day and leaps of the wall clock in half a minute, by the clock that only test builds have."""

import pytest

from harness import SANITIZERS, tapeworks
from scripted_day import Leap, has_scripted_clock, record_by_script

FAULTS = [
    {"at": "40m", "venue": "binance_spot", "fault": "day_cut"},
    {"at": "50m", "venue": "kucoin_spot", "fault": "expired_token"},
    {"at": "50m", "venue": "kucoin_spot", "fault": "close", "code": 1001},
    {"at": "70m", "venue": "gate_spot", "fault": "server_shutdown", "duration": "60s"},
]


@pytest.mark.skipif(not has_scripted_clock(), reason="this build has no scripted clock (TAPEWORKS_TEST_CLOCK)")
def test_hours_days_and_leaps_pass_in_half_a_minute(tmp_path):
    speed = 120 if SANITIZERS else 360
    counts = record_by_script(tmp_path, hours=3, speed=speed, rate=1500, faults=FAULTS, leaps=[Leap("100m", "30m"), Leap("140m", "-30m")],
                              sections='[retention]\nhours = 1\nallow_delete = true\n')
    assert counts["days"] == 2 and counts["hours"] >= 4, counts
    assert counts["clock_steps"] == 2 and counts["dropped"] == 0, counts
    assert counts["hours_kept"] < counts["hours"], counts


@pytest.mark.skipif(not has_scripted_clock(), reason="this build has no scripted clock (TAPEWORKS_TEST_CLOCK)")
def test_a_script_that_is_wrong_is_refused_before_anything_is_recorded(tmp_path):
    script = tmp_path / "clock.txt"
    script.write_text("begin 5\n")
    config = tmp_path / "recorder.toml"
    config.write_text(f'[output]\ndir = "{tmp_path}/out"\n[[feed]]\nexchange = "gate"\nmarket = "spot"\nsymbols = ["A_B"]\n')
    for clock, sentence in [(f"script:{script}", "needs the lines 'begin' and 'anchor'"), ("real", "--clock must be script:FILE"),
                            (f"script:{tmp_path}/none", "cannot be read")]:
        outcome = tapeworks("record", "--config", config, "--clock", clock, expect=2)
        assert sentence in outcome.stderr
    assert not (tmp_path / "out").exists()
