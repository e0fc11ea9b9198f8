"""A PostgreSQL server of a test's own, on a socket in a temporary folder, and where DuckDB's library is."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

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
