"""An HTTP proxy (CONNECT) on this machine that cuts connections when it is told to."""

import asyncio
import threading
from dataclasses import dataclass


@dataclass(eq=False)
class Tunnel:
    port: int  # of the server behind it
    writers: tuple = ()


class CuttingProxy:
    def __init__(self):
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
        await asyncio.gather(self._pass(reader, upstream_writer), self._pass(upstream_reader, writer))
        self.tunnels.remove(tunnel)

    @staticmethod
    async def _pass(reader, writer):
        try:
            while data := await reader.read(1 << 16):
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
