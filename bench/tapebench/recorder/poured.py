"""What the sender of tapebench.recorder.pour offers, for it and for who asks for it."""

STREAMS = ("bookTicker", "depth5@100ms", "trade")


def symbol_names(count: int) -> list[str]:
    return [f"C{number:04}USDT" for number in range(count)]
