"""Compares the P&L of the plain Python FIFO with that of tapeworks; runs as a child.

    python -m tapebench.pnl_check DATA PYTHON.parquet       prints {"agrees", "differences", "accounts", "largest"}
    python -m tapebench.pnl_check size DATA                 prints {"groups", "symbols": {symbol: groups}}

`realized_pnl` and the traded amounts must agree to TOLERANCE of the traded amount of the account.
"""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq

TOLERANCE = 1e-9
COLUMNS = ("realized_pnl", "total_buy_amount", "total_sell_amount")
DIFFERENCES_SHOWN = 5


def size_of(data: Path) -> dict[str, object]:
    """Rows of daily_summary, from the footers."""
    symbols = {path.stem: pq.read_metadata(path).num_rows for path in sorted((data / "daily_summary").glob("*.parquet"))}
    return {"groups": sum(symbols.values()), "symbols": symbols}


def ours_of(data: Path, symbol: str) -> dict[str, dict[str, float]]:
    rows = pq.ParquetFile(data / "pnl" / f"{symbol}.parquet").read(columns=["broker", *COLUMNS]).to_pylist()
    return {row["broker"]: row for row in rows}


def differences(ours: dict[str, dict[str, float]], theirs: list[dict[str, object]]) -> list[tuple[float, str]]:
    """(relative difference, text) of each account and column."""
    found = []
    for row in theirs:
        account = ours.get(row["broker"])
        if account is None:
            found.append((float("inf"), f"{row['symbol']} {row['broker']}: not in tapeworks"))
            continue
        traded = max(1.0, row["total_buy_amount"] + row["total_sell_amount"])
        for name in COLUMNS:
            relative = abs(account[name] - row[name]) / traded
            found.append((relative, f"{row['symbol']} {row['broker']} {name}: {account[name]} against {row[name]}"))
    return found


def compare(data: Path, python_path: Path) -> dict[str, object]:
    by_symbol: dict[str, list[dict[str, object]]] = {}
    for row in pq.read_table(python_path).to_pylist():
        by_symbol.setdefault(row["symbol"], []).append(row)
    found, missing = [], []
    for symbol, rows in by_symbol.items():
        ours = ours_of(data, symbol)
        found += differences(ours, rows)
        missing += [f"{symbol} {broker}: only in tapeworks" for broker in ours.keys() - {row["broker"] for row in rows}]
    wrong = missing + [text for relative, text in found if not relative <= TOLERANCE]
    return {"agrees": not wrong, "differences": wrong[:DIFFERENCES_SHOWN],
            "accounts": sum(map(len, by_symbol.values())), "largest": max((relative for relative, _ in found), default=0.0)}


def main() -> None:
    if sys.argv[1] == "size":
        print(json.dumps(size_of(Path(sys.argv[2]))))
    else:
        print(json.dumps(compare(Path(sys.argv[1]), Path(sys.argv[2]))))


if __name__ == "__main__":
    main()
