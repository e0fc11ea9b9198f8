"""An HTTP proxy (CONNECT) on this machine that cuts connections when it is told to."""

import asyncio
import random
import threading
from dataclasses import dataclass

LATE_S = 1.0


@dataclass(eq=False)
class Tunnel:
    port: int  # of the server behind it
    writers: tuple = ()


class CuttingProxy:
    def __init__(self, late_requests: random.Random | None = None):
        """With `late_requests` what a connection asks for after its handshake comes up to LATE_S late: differently on each."""
        self.late_requests = late_requests
        self.tunnels: list[Tunnel] = []
        self.loop = asyncio.new_event_loop()
        ready = threading.Event()

        def serve():
            asyncio.set_event_loop(self.loop)
            server = self.loop.run_until_complete(asyncio.start_server(self._accept, "127.0.0.1", 0))
            self.port = server.sockets[0].getsockname()[1]
            ready.set()
            self.loop.run_forever()

        self.thread = threading.Thread(target=serve, daemon=True)
        self.thread.start()
        ready.wait()

    async def _accept(self, reader, writer):
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            target = head.split()[1].decode()
            host, port = target.rsplit(":", 1)
            upstream_reader, upstream_writer = await asyncio.open_connection(host, int(port))
        except (OSError, ValueError, asyncio.IncompleteReadError):
            writer.close()
            return
        writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
        tunnel = Tunnel(int(port), (writer, upstream_writer))
        self.tunnels.append(tunnel)
        late_s = self.late_requests.uniform(0, LATE_S) if self.late_requests else 0
        await asyncio.gather(self._pass(reader, upstream_writer, late_s), self._pass(upstream_reader, writer))
        self.tunnels.remove(tunnel)

    @staticmethod
    async def _pass(reader, writer, second_late_s=0.0):
        """What comes behind the first part, a handshake, waits once for `second_late_s`."""
        late_s = iter([0, second_late_s])
        try:
            while data := await reader.read(1 << 16):
                await asyncio.sleep(next(late_s, 0))
                writer.write(data)
                await writer.drain()
        except OSError:
            pass
        finally:
            writer.close()

    def cut(self, tunnel: Tunnel) -> None:
        """At once and without a word, as when a line breaks."""
        def abort():
            for writer in tunnel.writers:
                writer.transport.abort()
        self.loop.call_soon_threadsafe(abort)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
