"""The inputs that the reference refuses or treats oddly: each is refused clearly, or gives equal results.

docs/commands/errors_expected.md is this table in words.
"""

import datetime
import json
import math

import pytest

from harness import TEST_DATA, Untouched, assert_clear_error, publish_good, read_symbol_files, tapeworks

ERRORS = TEST_DATA / "golden" / "edge" / "errors"
REFERENCE = json.loads((TEST_DATA / "golden" / "edge" / "errors_expected.json").read_text())
THIRD = datetime.date(2023, 1, 3)
NAN = float("nan")

# What the reference writes for the cases that it accepts:
# symbol -> rows of (broker, date, buy_shares, sell_shares, buy_amount, sell_amount).
ACCEPTED = {
    "empty_symbol": {"": [("1440", THIRD, 1, 0, 5.0, 0.0)], "2330": [("1440", THIRD, 1, 0, 5.0, 0.0)]},
    "nan_price_text": {"2330": [("1440", THIRD, 1, 0, NAN, NAN)]},
    "negative_shares": {"2330": [("1440", THIRD, -2, 0, -9.0, 0.0)]},
    "no_rows": {},
    "null_broker": {"2330": [(None, THIRD, 1, 0, 5.0, 0.0), ("1440", THIRD, 1, 0, 5.0, 0.0)]},
    "null_date": {"2330": [("1440", None, 1, 0, 5.0, 0.0), ("1440", THIRD, 1, 0, 5.0, 0.0)]},
    "null_symbol": {"2330": [("1440", THIRD, 1, 0, 5.0, 0.0)]},
    "only_dash": {},
}

REFUSED_ALWAYS = ["double_dash_price", "empty_price_text", "int32_overflow", "padded_price_text", "slash_in_symbol",
                  "word_price_text"]

# The row group and row of the first bad row; overflow is found in a sum, which has no row.
BAD_ROW = {"double_dash_price": 0, "empty_price_text": 1, "empty_symbol": 0, "padded_price_text": 0,
           "slash_in_symbol": 0, "word_price_text": 1, "nan_price_text": 0, "negative_shares": 0,
           "null_broker": 0, "null_date": 0, "null_symbol": 0}


def etl(case, data, mode, **how):
    compat = [] if mode == "default" else ["--compat", mode]
    return tapeworks("etl", ERRORS / f"{case}.parquet", "--data", data, *compat, **how)


def rows_of(table):
    return [tuple(row.values()) for row in table.to_pylist()]


def same(ours, golden):
    return len(ours) == len(golden) and all(
        a == b or (isinstance(a, float) and isinstance(b, float) and math.isnan(a) and math.isnan(b))
        for row, other in zip(ours, golden) for a, b in zip(row, other))


def test_every_case_of_the_reference_is_in_the_tables():
    assert set(ACCEPTED) | set(REFUSED_ALWAYS) == set(REFERENCE)
    assert not set(ACCEPTED) & set(REFUSED_ALWAYS)


@pytest.mark.parametrize("case", [c for c in sorted(REFERENCE) if REFERENCE[c]["seed"]["exit"] != 0])
def test_what_the_reference_refuses_is_refused_in_every_mode(case):
    assert case in REFUSED_ALWAYS


@pytest.mark.parametrize("mode", ["v1", "v2"])
@pytest.mark.parametrize("case", sorted(ACCEPTED))
def test_compat_gives_what_the_reference_gave(case, mode, data):
    etl(case, data, mode)
    ours = read_symbol_files(data, "daily_summary")
    assert set(ours) == set(ACCEPTED[case])
    for symbol, golden in ACCEPTED[case].items():
        assert same(rows_of(ours[symbol]), golden), rows_of(ours[symbol])


CLEARLY_REFUSED = [(case, mode) for case in REFUSED_ALWAYS for mode in ("default", "v1", "v2")] + [
    (case, "default") for case in sorted(ACCEPTED)]


@pytest.mark.parametrize("case, mode", CLEARLY_REFUSED)
def test_refused_with_one_sentence_that_says_where(case, mode, data, tmp_path):
    outcome = etl(case, data, mode, expect=3)
    if case == "int32_overflow":
        assert_clear_error(outcome, "2330", "1440", "2023-01-03")
    else:
        assert_clear_error(outcome, f"{case}.parquet")
    if case in BAD_ROW:
        assert_clear_error(outcome, "row group 0", f"row {BAD_ROW[case]}")
    assert not data.exists()


def test_a_refused_input_leaves_the_old_generation(data, tmp_path):
    publish_good(data, tmp_path)
    with Untouched(data):
        etl("word_price_text", data, "default", expect=3)
