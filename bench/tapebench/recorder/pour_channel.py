"""The sender's end of a connection: over TCP as it is, or over TLS with a record for each frame, as exchanges send."""

import itertools
import socket
import ssl
from typing import Protocol

import numpy as np

_READ_BYTES = 65_536


class Channel(Protocol):
    socket: socket.socket

    def receive(self) -> bytes:
        """What has come, after `socket` became readable; may be nothing yet. Raises EOFError at the end."""

    def send(self, content: bytes) -> None:
        """Waits until the system has taken it."""

    def send_frames(self, content: memoryview, ends: np.ndarray) -> None:
        """Frames, of which each ends where `ends` says."""


def _received(client: socket.socket) -> bytes:
    more = client.recv(_READ_BYTES)
    if not more:
        raise EOFError
    return more


class PlainChannel:
    def __init__(self, client: socket.socket) -> None:
        self.socket = client

    def receive(self) -> bytes:
        return _received(self.socket)

    def send(self, content: bytes) -> None:
        self.socket.sendall(content)

    def send_frames(self, content: memoryview, ends: np.ndarray) -> None:
        self.socket.sendall(content)


class TlsChannel:
    """Frames are encrypted one by one and given to the socket together: a record each, but not a segment each."""

    def __init__(self, client: socket.socket, context: ssl.SSLContext) -> None:
        self.socket = client
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self._tls = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        while True:
            try:
                self._tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                self._flush()
                self._incoming.write(_received(client))
        self._flush()
        self._early = self._decrypted()  # what came in one piece with the end of the handshake

    def receive(self) -> bytes:
        if self._early:
            found, self._early = self._early, b""
            return found
        self._incoming.write(_received(self.socket))
        return self._decrypted()

    def _decrypted(self) -> bytes:
        found = b""
        try:
            while more := self._tls.read(_READ_BYTES):
                found += more
        except ssl.SSLWantReadError:
            return found
        if not found:
            raise EOFError
        return found

    def send(self, content: bytes) -> None:
        self._tls.write(content)
        self._flush()

    def send_frames(self, content: memoryview, ends: np.ndarray) -> None:
        write = self._tls.write
        for begin, end in itertools.pairwise([0, *ends.tolist()]):
            write(content[begin:end])
        self._flush()

    def _flush(self) -> None:
        self.socket.sendall(self._outgoing.read())


def server_context(certificate: str, key: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    return context
