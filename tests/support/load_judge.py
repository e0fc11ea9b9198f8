"""Judges millions of recorded messages by the ledger, with DuckDB: what does not fit into memory goes to disk.

The same rules as recording.judge() but for its way to see how long messages waited in sockets (lags, below), and that holes inside a connection were found. Shares nothing with the program.
"""

from collections import Counter
from pathlib import Path

import duckdb

from harness import tapeworks
from recorded_tables import VENUES
from recording import CLOCK_SLACK_NS, COLUMNS, published_hashes
from told_losses import ToldLosses, folder_of

MEMORY_LIMIT = "3GB"

NUMBERS = {name for name in COLUMNS if name in ("price", "quantity") or name.startswith(("bid_", "ask_"))}
INTEGERS = {"event_time", "exchange_time", "sequence"}
TIMES = {"event_time", "exchange_time"}


def sql_type(column: str) -> str:
    return "DOUBLE" if column in NUMBERS else "BIGINT" if column in INTEGERS else "VARCHAR"


def hash_of(prefix: str, times_are_stamps: bool) -> str:
    """64 bits of all values of a row; of ten million rows one pair in 400,000 ledgers is alike by chance."""
    values = [f"epoch_ns({prefix}{name})" if times_are_stamps and name in TIMES else f"{prefix}{name}" for name in COLUMNS]
    return f"hash({', '.join(values)})"


def make_allowed(db: duckdb.DuckDBPyConnection) -> None:
    """Of the rows `mine` that a venue was sent: how often a snapshot may be recorded, as recording.allowed_copies() says."""
    db.execute("""CREATE OR REPLACE TEMP TABLE allowed AS
        WITH copies AS (SELECT connection, row_hash, count(*) AS copies FROM mine GROUP BY ALL),
             begins AS (SELECT connection, arg_min(row_hash, sent_time) AS row_hash FROM mine GROUP BY connection, stream, symbol),
             behind_begins AS (SELECT row_hash, other.copies + own.copies - 1 AS copies
                               FROM begins JOIN copies AS own USING (connection, row_hash) JOIN copies AS other USING (row_hash)
                               WHERE other.connection <> own.connection)
        SELECT row_hash, max(copies) AS copies FROM (SELECT row_hash, copies FROM copies UNION ALL FROM behind_begins) GROUP BY row_hash""")


class LoadJudge:
    def __init__(self, folder: Path, out: Path, ledger: Path):
        self.out, self.told = out, ToldLosses(out)
        self.db = duckdb.connect(str(folder / "judge.duckdb"), config={"memory_limit": MEMORY_LIMIT, "temp_directory": str(folder / "judge.tmp"), "threads": 2})
        row = "STRUCT(" + ", ".join(f"{name} {sql_type(name)}" for name in COLUMNS) + ")"
        self.db.execute(f"""
            CREATE TABLE sent AS
            SELECT venue, connection, kind, fault, sent_time, r.stream AS stream, r.symbol AS symbol, r.sequence AS sequence, {hash_of('r.', False)} AS row_hash
            FROM (SELECT venue, connection, kind, fault, sent_time, unnest(rows) AS r
                  FROM read_json('{ledger}', format = 'newline_delimited', maximum_object_size = 33554432,
                                 columns = {{venue: 'VARCHAR', connection: 'UBIGINT', kind: 'VARCHAR', fault: 'VARCHAR', sent_time: 'BIGINT', rows: '{row}[]'}}))""")
        self.db.execute(f"""
            CREATE TABLE recorded AS
            SELECT exchange, market, transport, stream, symbol, lsn, frame_index, epoch_ns(receive_time) AS receive_ns, {hash_of('', True)} AS row_hash
            FROM read_parquet('{out}/*/*/*/[0-2][0-9].parquet', hive_partitioning = false)""")

    def one(self, query: str, *parameters):
        return self.db.execute(query, parameters).fetchone()

    def judge(self) -> Counter:
        counts = Counter(rows=self.one("SELECT count(*) FROM recorded")[0])
        assert counts["rows"] > 0, "nothing was published"
        keys = self.one("SELECT count(DISTINCT (lsn, frame_index)) FROM recorded")[0]
        assert keys == counts["rows"], f"{counts['rows'] - keys} keys are there twice"
        for venue in VENUES:
            self.judge_venue(venue, counts)
        return counts

    def judge_venue(self, venue: str, counts: Counter) -> None:
        self.db.execute("CREATE OR REPLACE TEMP TABLE mine AS SELECT * FROM sent WHERE venue = ? AND kind IN ('event', 'repeat')", [venue])
        make_allowed(self.db)
        self.db.execute("""CREATE OR REPLACE TEMP TABLE found AS
            SELECT row_hash, any_value(stream) AS stream, any_value(symbol) AS symbol, min(lsn) AS lsn, min(receive_ns) AS receive_ns, count(*) AS copies
            FROM recorded WHERE exchange = ? AND market = ? AND transport = ? GROUP BY row_hash""", list(VENUES[venue]))
        counts["sent"] += self.one("SELECT count(*) FROM mine")[0]
        invented = self.one("SELECT stream, symbol, lsn FROM found ANTI JOIN allowed USING (row_hash) LIMIT 1")
        assert not invented, f"{venue}: a row that was never sent: {invented}"
        twice = self.one("""SELECT stream, symbol, lsn, found.copies, allowed.copies FROM found JOIN allowed USING (row_hash)
                            WHERE found.copies > CASE stream WHEN 'l5' THEN allowed.copies ELSE 1 END LIMIT 1""")
        assert not twice, f"{venue}: too often (stream, symbol, LSN, copies, allowed): {twice}"
        gaps = self.told.gaps(venue)
        self.db.execute("CREATE OR REPLACE TEMP TABLE gaps (from_ns BIGINT, to_ns BIGINT)")
        if gaps:
            self.db.executemany("INSERT INTO gaps VALUES (?, ?)", gaps)
        # A busy machine reads late: what had been sent and was not read yet when a connection ended lies before its gap.
        self.db.execute("""CREATE OR REPLACE TEMP TABLE lags AS SELECT receive_ns, receive_ns - sent_time AS lag_ns
            FROM found JOIN (SELECT row_hash, min(sent_time) AS sent_time FROM mine GROUP BY row_hash) USING (row_hash)""")
        self.db.execute("""CREATE OR REPLACE TEMP TABLE gaps AS
            SELECT from_ns - greatest(coalesce(max(lag_ns), 0), 0) AS from_ns, to_ns FROM gaps
            LEFT JOIN lags ON receive_ns BETWEEN from_ns - 1000000000 AND from_ns GROUP BY gaps.from_ns, to_ns""")
        counts["lag_ms_max"] = max(counts["lag_ms_max"], self.one("SELECT max(lag_ns) // 1000000 FROM lags")[0] or 0)
        self.db.execute("CREATE OR REPLACE TEMP TABLE missing AS SELECT * FROM mine ANTI JOIN found USING (row_hash)")
        counts["missing"] += self.one("SELECT count(*) FROM missing")[0]
        # A connection brings messages in order: those behind the last one were on their way when it was closed.
        counts["on_their_way"] += self.one("""SELECT count(*) FROM missing WHERE sent_time >
            (SELECT max(mine.sent_time) FROM mine SEMI JOIN found USING (row_hash) WHERE mine.connection = missing.connection)""")[0]
        self.db.execute("CREATE OR REPLACE TEMP TABLE takeovers (from_ns BIGINT, to_ns BIGINT)")
        if takeovers := self.told.takeovers(venue):
            self.db.executemany("INSERT INTO takeovers VALUES (?, ?)", takeovers)
        # Sampled streams have no copy that could be taken from the other leg.
        sampled = "('l5', 'book')" if venue.startswith("kucoin") else "('l5')"
        lost = self.one(f"""SELECT connection, stream, symbol, sequence, sent_time FROM missing WHERE NOT EXISTS
                           (SELECT 1 FROM gaps WHERE missing.sent_time BETWEEN from_ns - {CLOCK_SLACK_NS} AND to_ns + {CLOCK_SLACK_NS})
                           AND NOT (stream IN {sampled} AND EXISTS (SELECT 1 FROM takeovers WHERE missing.sent_time BETWEEN from_ns AND to_ns)) LIMIT 1""")
        assert not lost, f"{venue}: lost outside of the {len(gaps)} gaps (connection, stream, symbol, number, time): {lost}"
        self.judge_left_out(venue, counts)

    def judge_left_out(self, venue: str, counts: Counter) -> None:
        """What the fault `gap` left out of a contiguous stream is a row of _gaps, unless the connection was down."""
        if not venue.startswith("binance"):
            return
        tables = sorted(self.out.glob(f"{folder_of(venue)}/_gaps/*.parquet"))
        self.db.execute("""CREATE OR REPLACE TEMP TABLE left_out AS
            SELECT DISTINCT symbol, sequence, sent_time FROM sent ANTI JOIN found USING (row_hash)
            WHERE venue = ? AND fault = 'gap' AND sent.stream = 'trade'""", [venue])
        counts["left_out"] += self.one("SELECT count(*) FROM left_out")[0]
        if not tables:
            return
        unnamed = self.one(f"""SELECT symbol, sequence FROM left_out WHERE NOT EXISTS
            (SELECT 1 FROM read_parquet({[str(path) for path in tables]}) AS hole
             WHERE hole.symbol = left_out.symbol AND left_out.sequence BETWEEN hole.from_sequence AND hole.to_sequence)
            AND NOT EXISTS (SELECT 1 FROM gaps WHERE sent_time BETWEEN from_ns - {CLOCK_SLACK_NS} AND to_ns + {CLOCK_SLACK_NS}) LIMIT 1""")
        assert not unnamed, f"{venue}: left out inside a connection and not found (symbol, number): {unnamed}"


def judge_load(folder: Path) -> Counter:
    """What the ledger, the program's own check and a replay of the log say of the recording in `folder`."""
    counts = LoadJudge(folder, folder / "out", folder / "ledger.jsonl").judge()
    tapeworks("verify", "--recording", folder / "out", timeout=3600)
    tapeworks("replay", "--wal", folder / "log", "--out", folder / "again", timeout=3600)
    assert published_hashes(folder / "out") == published_hashes(folder / "again"), "the replay has other bytes"
    return counts
