"""Commands of tapeworks from a process that is loaded once: for tests that start it a hundred thousand times."""

import os
import signal
import socket
import struct
import subprocess
import threading
from pathlib import Path

REPLY = struct.Struct("iiq")


class ForkServer:
    """A loaded `binary`, by the `library` of fork_server.c. Its environment, folder and limits are those of this process when
    the server was made. One thread."""

    def __init__(self, binary: str, library: Path):
        self.binary = binary
        self.requests, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)

        def place_socket():
            os.dup2(theirs.fileno(), 3)
            os.set_inheritable(3, True)

        self.process = subprocess.Popen([binary], stdin=subprocess.DEVNULL, preexec_fn=place_socket, pass_fds=[3, theirs.fileno()],
                                        env={**os.environ, "LD_PRELOAD": str(library)})
        theirs.close()

    def run(self, arguments: list[str], stdout, stderr, timeout: float) -> tuple[int, int]:
        """Runs a command to its end: exit status as of wait(), and the largest resident size in KiB."""
        request = b"".join(os.fsencode(argument) + b"\0" for argument in [self.binary, *arguments])
        socket.send_fds(self.requests, [request], [stdout.fileno(), stderr.fileno()])
        pid, _, _ = REPLY.unpack(self.requests.recv(REPLY.size))
        timer = threading.Timer(timeout, os.kill, [pid, signal.SIGKILL])
        timer.start()
        _, status, peak_resident_kib = REPLY.unpack(self.requests.recv(REPLY.size))
        timer.cancel()
        return status, peak_resident_kib
