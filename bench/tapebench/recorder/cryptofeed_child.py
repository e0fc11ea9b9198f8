"""cryptofeed recording a simulated Binance, in the way it has without a database: its files of raw messages. Runs as a child.

    python -m tapebench.recorder.cryptofeed_child FOLDER WS_ADDRESS REST_ADDRESS SYMBOL...

Its feed of Binance is asked for the streams that the simulator has: the best bid and ask as it is; trades, of which cryptofeed
takes the aggregated ones, and books of five levels, which it builds of changes, over the two methods here. Every message is parsed
and handed to a callback, as an application would have it. The certificate comes by SSL_CERT_FILE and REQUESTS_CA_BUNDLE.
"""

import asyncio
import sys
from decimal import Decimal

import uvloop
from cryptofeed import FeedHandler
from cryptofeed.connection import RestEndpoint, Routes, WebsocketEndpoint
from cryptofeed.defines import L2_BOOK, TICKER, TRADES
from cryptofeed.exchanges import Binance
from cryptofeed.raw_data_collection import AsyncFileCallback
from cryptofeed.types import OrderBook
from yapic import json


class SimulatedBinance(Binance):
    websocket_endpoints = [WebsocketEndpoint(sys.argv[2])]
    rest_endpoints = [RestEndpoint(sys.argv[3], routes=Routes("/api/v3/exchangeInfo"))]
    websocket_channels = {L2_BOOK: "depth5", TRADES: "trade", TICKER: "bookTicker"}

    async def message_handler(self, msg: str, conn: object, timestamp: float) -> None:
        message = json.loads(msg, parse_float=Decimal)
        pair, stream = message["stream"].split("@", 1)
        data = message["data"]
        if stream == "trade":
            await self._trade(data | {"a": data["t"]}, timestamp)
        elif stream == "bookTicker":
            await self._ticker(data, timestamp)
        else:
            await self._levels(data, self.exchange_symbol_to_std_symbol(pair.upper()), timestamp)

    async def _levels(self, data: dict, pair: str, timestamp: float) -> None:
        bids, asks = ({Decimal(price): Decimal(quantity) for price, quantity in data[side]} for side in ("bids", "asks"))
        book = OrderBook(self.id, pair, bids=bids, asks=asks)
        await self.book_callback(L2_BOOK, book, timestamp, raw=data, sequence_number=data["lastUpdateId"])


async def take(_data: object, _receipt: float) -> None:
    pass


def main() -> None:
    folder, symbols = sys.argv[1], [f"{symbol.removesuffix('USDT')}-USDT" for symbol in sys.argv[4:]]
    handler = FeedHandler(config={"log": {"filename": f"{folder}/cryptofeed.log", "level": "WARNING"}, "uvloop": True},
                          raw_data_collection=AsyncFileCallback(folder))
    handler.add_feed(SimulatedBinance(symbols=symbols, channels=[TICKER, TRADES, L2_BOOK], callbacks={channel: take for channel in (TICKER, TRADES, L2_BOOK)}))
    # cryptofeed 2.4.1 expects a loop that uvloop no longer makes by itself.
    asyncio.set_event_loop(uvloop.new_event_loop())
    handler.run()


if __name__ == "__main__":
    main()
