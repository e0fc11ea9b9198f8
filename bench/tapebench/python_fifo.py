"""FIFO profit and loss in plain Python, account after account, as it is computed today; runs as a child.

    python -m tapebench.python_fifo DATA OUT.parquet --start DATE --symbols A,B,... --valuation every-day|last-day

Reads DATA/daily_summary/SYMBOL.parquet and DATA/price/close_prices.parquet, writes a row for each account, prints
{"groups", "accounts", "cpu_seconds"}: the CPU of reading, computing and writing, without the start of Python and the
imports.

`every-day` values the open lots on every trade date of the symbol, as the program in use does. `last-day` leaves that
out and is the quicker way to write the same thing in Python.
"""

import argparse
import json
import time
from bisect import bisect_right
from collections import deque
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

Lot = tuple[int, float]  # shares, cost of one
Trade = tuple[int, int, float, float]  # bought and sold shares, amounts bought and sold


class Account:
    """The open lots of one broker in one symbol, and what it has earned since the start date."""

    def __init__(self) -> None:
        self.longs: deque[Lot] = deque()
        self.shorts: deque[Lot] = deque()
        self.realized = 0.0
        self.unrealized = 0.0
        self.bought = 0.0
        self.sold = 0.0
        self.net_shares: list[int] = []  # a number for each trade date of the symbol since the start
        self.returns: list[float] = []

    def trade(self, trade: Trade) -> float:
        """Sells first, then buys; returns what the day realised."""
        buy_shares, sell_shares, buy_amount, sell_amount = trade
        realized = 0.0
        if sell_shares > 0:
            price = sell_amount / sell_shares
            left = sell_shares
            while left and self.longs:
                shares, cost = self.longs[0]
                taken = min(left, shares)
                realized += taken * (price - cost)
                left -= taken
                if taken == shares:
                    self.longs.popleft()
                else:
                    self.longs[0] = (shares - taken, cost)
            if left:
                self.shorts.append((left, price))
        if buy_shares > 0:
            price = buy_amount / buy_shares
            left = buy_shares
            while left and self.shorts:
                shares, cost = self.shorts[0]
                taken = min(left, shares)
                realized += taken * (cost - price)
                left -= taken
                if taken == shares:
                    self.shorts.popleft()
                else:
                    self.shorts[0] = (shares - taken, cost)
            if left:
                self.longs.append((left, price))
        return realized

    def value(self, price: float) -> float:
        """What the open lots would bring at `price`."""
        total = 0.0
        for shares, cost in self.longs:
            total += shares * (price - cost)
        for shares, cost in self.shorts:
            total += shares * (cost - price)
        return total

    def timing_alpha(self) -> float:
        """Yesterday's deviation from the mean net purchase times today's return, summed."""
        count = len(self.net_shares)
        if count < 2:
            return 0.0
        mean = sum(self.net_shares) / count
        return sum((self.net_shares[i - 1] - mean) * self.returns[i] for i in range(1, count))


def returns_of(closes: dict[date, float]) -> dict[date, float]:
    """Return of each priced date from the priced date before it."""
    found, previous = {}, 0.0
    for day in sorted(closes):
        if previous > 0:
            found[day] = (closes[day] - previous) / previous
        previous = closes[day]
    return found


def known_closes(dates: list[date], closes: dict[date, float]) -> list[float]:
    """For each date the last close on or before it; 0 when there is none."""
    priced = sorted(closes)
    places = [bisect_right(priced, day) for day in dates]
    return [closes[priced[place - 1]] if place else 0.0 for place in places]


def run_account(trades: dict[date, Trade], dates: list[date], prices: list[float], returns: dict[date, float],
                start: date, every_day: bool) -> Account:
    account = Account()
    for day, price in zip(dates, prices):
        trade = trades.get(day)
        realized = account.trade(trade) if trade is not None else 0.0
        if day >= start:
            if trade is not None:
                account.realized += realized
                account.bought += trade[2]
                account.sold += trade[3]
                account.net_shares.append(trade[0] - trade[1])
            else:
                account.net_shares.append(0)
            account.returns.append(returns.get(day, 0.0))
        if every_day:
            account.unrealized = account.value(price)
    if not every_day and prices:
        account.unrealized = account.value(prices[-1])
    return account


def read_trades(path: Path) -> dict[str, dict[date, Trade]]:
    """Broker -> date -> its trades."""
    found: dict[str, dict[date, Trade]] = {}
    columns = pq.ParquetFile(path).read().to_pydict()
    for broker, day, *numbers in zip(columns["broker"], columns["date"], columns["buy_shares"], columns["sell_shares"],
                                     columns["buy_amount"], columns["sell_amount"]):
        found.setdefault(broker, {})[day] = tuple(numbers)
    return found


def read_closes(path: Path, symbols: list[str]) -> dict[str, dict[date, float]]:
    """Symbol -> date -> close; null and zero closes are none."""
    table = pq.read_table(path)
    wanted = table.filter(pc.is_in(table["symbol_id"], pa.array(symbols, table["symbol_id"].type)))
    found: dict[str, dict[date, float]] = {symbol: {} for symbol in symbols}
    for symbol, day, close in zip(*(wanted[name].to_pylist() for name in ("symbol_id", "date", "close_price"))):
        if close:
            found[symbol][day] = close
    return found


def run_symbol(symbol: str, trades: dict[str, dict[date, Trade]], closes: dict[date, float], start: date,
               every_day: bool) -> list[dict[str, object]]:
    dates = sorted({day for days in trades.values() for day in days})
    prices, returns = known_closes(dates, closes), returns_of(closes)
    rows = []
    for broker, days in trades.items():
        account = run_account(days, dates, prices, returns, start, every_day)
        rows.append({"symbol": symbol, "broker": broker, "realized_pnl": account.realized,
                     "unrealized_pnl": account.unrealized, "total_buy_amount": account.bought,
                     "total_sell_amount": account.sold, "timing_alpha": account.timing_alpha()})
    return rows


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--start", type=date.fromisoformat, required=True)
    parser.add_argument("--symbols", required=True)
    parser.add_argument("--valuation", choices=("every-day", "last-day"), default="every-day")
    given = parser.parse_args()
    begin = time.process_time()
    symbols = given.symbols.split(",")
    closes = read_closes(given.data / "price/close_prices.parquet", symbols)
    groups, rows = 0, []
    for symbol in symbols:
        trades = read_trades(given.data / "daily_summary" / f"{symbol}.parquet")
        groups += sum(map(len, trades.values()))
        rows += run_symbol(symbol, trades, closes[symbol], given.start, given.valuation == "every-day")
    pq.write_table(pa.Table.from_pylist(rows), given.out)
    print(json.dumps({"groups": groups, "accounts": len(rows), "cpu_seconds": time.process_time() - begin}))


if __name__ == "__main__":
    main()
