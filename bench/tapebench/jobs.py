"""The two jobs that the peers do: which columns are grouped and summed, and how their text is read.

Both make one file per `symbol` with a row for each (broker, date): the sums of bought and sold shares and
the amounts shares x price. The price is rounded to float32 first and the sums are rounded to float32 last, as
the pipeline in use today does.
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Job:
    """The input columns of one job. All outputs have the columns of OUTPUT_COLUMNS."""

    name: str
    symbol: str  # text; one output file for each
    date: str
    broker: str  # text
    price: str
    buy: str  # int64, shares
    sell: str  # int64, shares
    price_is_text: bool  # with commas; "-" is no price and the row is dropped
    date_is_instant: bool  # a UTC instant whose day is the one in Taipei; otherwise a date

    def tapeworks_options(self) -> list[str]:
        """The options by which `tapeworks etl` finds the columns."""
        columns = {"symbol": self.symbol, "date": self.date, "broker": self.broker, "price": self.price,
                   "buy": self.buy, "sell": self.sell}
        return [text for role, name in columns.items() for text in (f"--column-{role}", name)]


OUTPUT_COLUMNS = ("broker", "date", "buy_shares", "sell_shares", "buy_amount", "sell_amount")
TAIPEI_HOURS = 8  # ahead of UTC, no daylight saving

TRADES = Job("trades", "symbol_id", "date", "broker", "price", "buy", "sell", price_is_text=True, date_is_instant=True)
LINEITEM = Job("lineitem", "l_shipdate_text", "l_shipdate", "l_suppkey", "l_extendedprice", "l_quantity",
               "l_linenumber", price_is_text=False, date_is_instant=False)
JOBS = {job.name: job for job in (TRADES, LINEITEM)}
