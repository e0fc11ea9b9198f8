"""Databases of a test's own: a PostgreSQL server on a socket in a temporary folder, and files of SQLite and DuckDB."""

import os
import shutil
import sqlite3
import subprocess
import tempfile
from pathlib import Path

import pyarrow.parquet as pq

POSTGRES_PROGRAMS = Path("/usr/lib/postgresql/15/bin")
USER = "tape"


def postgres_is_installed() -> bool:
    return (POSTGRES_PROGRAMS / "initdb").exists()


def unprivileged() -> list[str]:
    """The beginning of a command that runs as nobody important: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return []
    return ["setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"]


class PostgresServer:
    """Listens on no port, only on the socket in `folder`; wants a password from everybody."""

    def __init__(self, password: str):
        self.password = password
        # Not pytest's folder: the path of a socket is short, and another user must reach it.
        self.folder = Path(tempfile.mkdtemp(prefix="tapeworks-postgres-"))
        password_file = self.folder / "password"
        password_file.write_text(password)
        if os.geteuid() == 0:
            shutil.chown(self.folder, "postgres")
            shutil.chown(password_file, "postgres")
        self.command("initdb", "-D", self.folder / "cluster", "-A", "scram-sha-256", "-U", USER,
                     f"--pwfile={password_file}", "-N", "-E", "UTF8", "--no-locale")
        password_file.unlink()
        self.pg_ctl("start", "-o", f"-k {self.folder} -c listen_addresses='' -c fsync=off", "-l", self.folder / "log")

    def command(self, program: str, *arguments) -> None:
        subprocess.run([*unprivileged(), POSTGRES_PROGRAMS / program, *map(str, arguments)], check=True,
                       stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=self.folder, timeout=120)

    def pg_ctl(self, verb: str, *arguments) -> None:
        self.command("pg_ctl", "-D", self.folder / "cluster", "-w", *arguments, verb)

    def uri(self, password: str) -> str:
        return f"postgresql://{USER}:{password}@/postgres?host={self.folder}"

    def execute(self, sql: str) -> None:
        subprocess.run([POSTGRES_PROGRAMS / "psql", "-q", "-v", "ON_ERROR_STOP=1", "-h", self.folder, "-U", USER, "postgres"],
                       input=sql, text=True, check=True, stdout=subprocess.DEVNULL, timeout=300,
                       env={**os.environ, "PGPASSWORD": self.password})

    def stop(self) -> None:
        self.pg_ctl("stop", "-m", "immediate")

    def remove(self) -> None:
        subprocess.run([*unprivileged(), POSTGRES_PROGRAMS / "pg_ctl", "-D", self.folder / "cluster", "-m", "immediate", "stop"],
                       check=False, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/", timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)


def fill_file(kind: str, path: Path, parquet: Path) -> str:
    """Makes a SQLite or DuckDB file with the closes of a Parquet file, in awkward types and another order; its address."""
    if kind == "sqlite":
        columns = [column.to_pylist() for column in pq.read_table(parquet).columns]
        with sqlite3.connect(path) as database:
            database.execute("CREATE TABLE prices (coid CHAR(8), mdate TEXT, close_d REAL)")
            database.executemany("INSERT INTO prices VALUES (?, ?, ?)",
                                 ((f"{symbol:8}", day.isoformat(), close) for symbol, day, close in zip(*map(reversed, columns))))
        return f"adbc:sqlite?uri={path}&table=prices"
    import duckdb

    with duckdb.connect() as connection:
        # As versions before the one that fills it can read it.
        connection.execute(f"ATTACH '{path}' AS file (STORAGE_VERSION 'v1.2.0')")
        connection.execute(f"CREATE TABLE file.prices AS SELECT symbol_id AS coid, date::TIMESTAMP AS mdate, "
                           f"close_price::DECIMAL(18, 9) AS close_d FROM '{parquet}' ORDER BY hash(symbol_id, date)")
    return f"adbc:{os.environ['TAPEWORKS_DUCKDB_LIBRARY']}?path={path}&entrypoint=duckdb_adbc_init&table=prices"
