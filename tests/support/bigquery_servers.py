"""A local BigQuery, and a way between it and the program that checks logins, tells costs and can be cut."""

import json
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import harness

PROJECT = "tape-project"
DATASET = "market"
PACKAGES = harness.ROOT / ".venv" / "bigquery-emulator"

# bqemulator by itself also serves gRPC and geography, whose packages are several hundred megabytes; neither is used here.
# Run by a process of its own, which ends when its standard input does.
SERVER = """
import asyncio, sys, types

for name, members in {"grpc_api.server": ["build_grpc_server"], "observability.tracing": ["configure_tracing"]}.items():
    module = types.ModuleType("bqemulator." + name)
    for member in members:
        setattr(module, member, lambda *_: None)
    sys.modules["bqemulator." + name] = module

class NoServer:
    async def start(self): pass
    async def stop(self, grace=0): pass

sys.modules["bqemulator.grpc_api.server"].build_grpc_server = lambda _: (NoServer(), 0)

from bqemulator import server
from bqemulator.config import LogLevel, Settings
from bqemulator.storage.engine import DuckDBEngine

DuckDBEngine._load_spatial = lambda self: None
DuckDBEngine._load_format_extensions = lambda self: None

async def main():
    emulator = server.EmulatorServer(Settings(rest_port=0, grpc_port=0, log_level=LogLevel.ERROR, default_project_id=sys.argv[1]))
    await emulator.start()
    print("port", emulator.rest_port, flush=True)
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)

asyncio.run(main())
"""


def is_installed() -> bool:
    return (PACKAGES / "bqemulator").is_dir()


class Emulator:
    """bqemulator with one empty data set; `port` is where it listens."""

    def __init__(self):
        self.process = subprocess.Popen(
            [sys.executable, "-c", SERVER, PROJECT], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, text=True, env={"PYTHONPATH": str(PACKAGES), "PATH": "/usr/bin:/bin"})
        ready = next((line for line in self.process.stdout if line.startswith("port ")), None)
        assert ready, f"bqemulator did not start: {self.process.stderr.read()[-4000:]}"
        self.port = int(ready.split()[1])
        self.post(f"projects/{PROJECT}/datasets", {"datasetReference": {"projectId": PROJECT, "datasetId": DATASET}})

    def post(self, path: str, body: dict) -> dict:
        request = urllib.request.Request(f"http://127.0.0.1:{self.port}/bigquery/v2/{path}", json.dumps(body).encode(),
                                         {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=600) as answer:
            return json.load(answer)

    def execute(self, sql: str) -> None:
        answer = self.post(f"projects/{PROJECT}/queries", {"query": sql, "useLegacySql": False})
        assert not answer.get("errors"), answer["errors"]

    def load_parquet(self, table: str, columns: str, path: Path) -> None:
        """A new table of these columns, as SQL writes them, with the rows of a file."""
        self.execute(f"CREATE TABLE {DATASET}.{table} ({columns})")
        configuration = {"configuration": {"load": {
            "sourceFormat": "PARQUET",
            "destinationTable": {"projectId": PROJECT, "datasetId": DATASET, "tableId": table}}}}
        body = (b"--part\r\nContent-Type: application/json\r\n\r\n" + json.dumps(configuration).encode()
                + b"\r\n--part\r\nContent-Type: application/octet-stream\r\n\r\n" + path.read_bytes() + b"\r\n--part--\r\n")
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}/upload/bigquery/v2/projects/{PROJECT}/jobs?uploadType=multipart", body,
            {"Content-Type": 'multipart/related; boundary="part"'})
        with urllib.request.urlopen(request, timeout=600) as answer:
            status = json.load(answer)["status"]
        assert "errorResult" not in status, status

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Front:
    """An HTTP server that passes requests on to the emulator, and does what the emulator does not."""

    def __init__(self, emulator_port: int, tls_files: tuple[Path, Path] | None = None):
        self.emulator_port = emulator_port
        self.tokens = None          # the access tokens that are let through; None: everybody is
        self.scanned_bytes = None   # what a dry run says; None: as the emulator says, 0
        self.rows_per_page_max = None
        self.answers = {}           # what it says itself, by a part of the path: (status, JSON)
        self.busy_count = 0         # so many requests are turned away first
        self.busy_answer = (503, {"error": {"message": "busy"}})
        self.cut_page = None        # the connection ends in the middle of this page, and from then on at once
        self.form_to_token = None   # for /token: a function of a form
        self.requests = []          # (path, body) of each
        self.pages = 0
        self.is_cut = False
        front = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                front.serve(self, None)

            def do_POST(self):
                front.serve(self, self.rfile.read(int(self.headers["Content-Length"])))

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.scheme = "http"
        if tls_files:
            import ssl

            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            context.load_cert_chain(*tls_files)
            self.server.socket = context.wrap_socket(self.server.socket, server_side=True)
            self.scheme = "https"
        self.port = self.server.server_address[1]
        self.url = f"{self.scheme}://127.0.0.1:{self.port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()

    def queries(self) -> list[dict]:
        """The bodies of all queries, dry runs among them."""
        return [json.loads(body) for path, body in self.requests if path.endswith("/queries") and body]

    def serve(self, handler, body: bytes | None) -> None:
        self.requests.append((handler.path, body))
        if self.is_cut:
            handler.close_connection = True
            return
        if handler.path == "/token":
            status, answer = self.form_to_token({key: values[0] for key, values in parse_qs(body.decode()).items()})
            self._send(handler, status, json.dumps(answer).encode())
            return
        if self.busy_count > 0:
            self.busy_count -= 1
            status, answer = self.busy_answer
            self._send(handler, status, json.dumps(answer).encode())
            return
        if self.tokens is not None and handler.headers.get("Authorization") not in {f"Bearer {token}" for token in self.tokens}:
            self._send(handler, 401, json.dumps({"error": {
                "code": 401, "message": f"Invalid credentials: {handler.headers.get('Authorization')}"}}).encode())
            return
        for part, (status, answer) in self.answers.items():
            if part in handler.path:
                self._send(handler, status, json.dumps(answer).encode())
                return
        status, content = self._ask_emulator(handler.path, body)
        answer = json.loads(content)
        is_dry_run = body is not None and json.loads(body).get("dryRun")
        if is_dry_run and self.scanned_bytes is not None and status == 200:
            answer["totalBytesProcessed"] = str(self.scanned_bytes)
            content = json.dumps(answer).encode()
        if answer.get("rows") and not is_dry_run:
            self.pages += 1
            if self.pages == self.cut_page:
                self.is_cut = True
                self._send(handler, status, content, len(content) // 2)
                return
        self._send(handler, status, content)

    def _ask_emulator(self, path: str, body: bytes | None) -> tuple[int, bytes]:
        if self.rows_per_page_max is not None:
            # A service may send smaller pages than it was asked for.
            if body is not None:
                body = json.dumps({**json.loads(body), "maxResults": self.rows_per_page_max}).encode()
            query = parse_qs(urlsplit(path).query)
            if "maxResults" in query:
                path = path.replace(f"maxResults={query['maxResults'][0]}", f"maxResults={self.rows_per_page_max}")
        request = urllib.request.Request(f"http://127.0.0.1:{self.emulator_port}{path}", body, {"Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=600) as answer:
                return answer.status, answer.read()
        except urllib.error.HTTPError as error:
            return error.code, error.read()

    @staticmethod
    def _send(handler, status: int, content: bytes, cut_at: int | None = None) -> None:
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(content)))
        handler.end_headers()
        handler.wfile.write(content[:cut_at])
        if cut_at is not None:
            handler.close_connection = True


def environment(**more) -> dict[str, str]:
    """Nothing of this machine's own settings counts, and nobody waits long."""
    names = ("BIGQUERY_EMULATOR_HOST", "GOOGLE_OAUTH_ACCESS_TOKEN", "GOOGLE_APPLICATION_CREDENTIALS", "http_proxy", "https_proxy",
             "all_proxy", "HTTPS_PROXY", "ALL_PROXY", "no_proxy", "NO_PROXY", "SSL_CERT_FILE")
    return {**{name: "" for name in names}, "TAPEWORKS_STORE_PATIENCE": "1s", **more}


def address(table: str, project: str = PROJECT, dataset: str = DATASET) -> str:
    return f"bigquery://{project}/{dataset}.{table}"
