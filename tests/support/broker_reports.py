"""Makes the daily broker reports that TWSE and TPEx let everybody download, out of rows of transactions."""

import random
from pathlib import Path

FORMS = ("twse_big5", "twse_utf8", "tpex")
HEADER = ["序號", "券商", "價格", "買進股數", "賣出股數"]


def with_thousands(number: int) -> str:
    return f"{number:,}"


def quoted(text: str) -> str:
    return '"' + text.replace('"', '""') + '"'


def twse_field(text: str) -> str:
    """TWSE quotes only where a comma asks for it."""
    return quoted(text) if "," in text else text


def twse_lines(symbol: str, records: list[list[str]], random_: random.Random) -> list[str]:
    lines = ["券商買賣股票成交價量資訊", f'股票代碼,="{symbol}"', ",".join([*HEADER, "", *HEADER])]
    for first in range(0, len(records), 2):
        pair = [",".join(map(twse_field, record)) for record in records[first:first + 2]]
        if len(pair) == 2:
            lines.append(",,".join(pair) + random_.choice(["", "", "  "]))
        else:
            lines.append(pair[0] + random_.choice(["", ",,", ",,,,,,"]))
    return lines


def tpex_lines(symbol: str, records: list[list[str]], random_: random.Random) -> list[str]:
    lines = [quoted("券商買賣證券成交價量資訊"), f"{quoted('證券代碼')},{quoted(symbol)}", "",
             ",".join(map(quoted, HEADER))]
    return lines + [",".join(map(quoted, record)) + random_.choice(["", " "]) for record in records]


def report_bytes(form: str, symbol: str, rows: list[dict], random_: random.Random) -> bytes:
    """`rows` have broker, broker_name, price, buy, sell. Line ends and thousands separators vary by chance."""
    records = []
    for number, row in enumerate(rows, start=1):
        blank = "  " if form == "tpex" else random_.choice(["", " "])
        shares = with_thousands if form == "tpex" or random_.random() < 0.2 else str
        records.append([str(number), f"{row['broker']}{blank}{row['broker_name']}" + (" " * 4 if form == "tpex" else ""),
                        row["price"], shares(row["buy"]), shares(row["sell"])])
    lines = (tpex_lines if form == "tpex" else twse_lines)(symbol, records, random_)
    text = random_.choice(["\r\n", "\n"]).join([*lines, ""])
    return text.encode("big5") if form == "twse_big5" else b"\xef\xbb\xbf" + text.encode()


def write_report(folder: Path, form: str, symbol: str, day: str, rows: list[dict], random_: random.Random) -> Path:
    """Called as people call them: symbol and day in the name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{symbol}_{day.replace('-', '')}{random_.choice(['.csv', '.CSV'])}"
    path.write_bytes(report_bytes(form, symbol, rows, random_))
    return path
