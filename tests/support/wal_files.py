"""Writes log segments by docs/formats/wal.md, independently of the program: the tests' own encoder."""

import struct
from pathlib import Path

BLOCK = 32768
START, LOST, FRAME = 0, 1, 16
WALL = 1_700_000_000_000_000_000


def _table() -> list[int]:
    table = []
    for byte in range(256):
        crc = byte
        for _ in range(8):
            crc = (crc >> 1) ^ (0x82F63B78 if crc & 1 else 0)
        table.append(crc)
    return table


TABLE = _table()


def crc32c(data: bytes) -> int:
    crc = 0xFFFFFFFF
    for byte in data:
        crc = (crc >> 8) ^ TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF


def record(lsn: int, payload: bytes, kind: int = FRAME, source: int = 7, connection: int = 3, flags: int = 0,
           wall: int | None = None) -> bytes:
    time = WALL + lsn if wall is None else wall
    return struct.pack("<QqqIHBB", lsn, time, 10**9 + lsn, connection, source, kind, flags) + payload


class Segment:
    """One segment in memory; append records, then write it."""

    def __init__(self, first_lsn: int):
        self.first_lsn = first_lsn
        header = b"TWWALSEG" + struct.pack("<IIQq", 1, BLOCK, first_lsn, WALL) + bytes(range(16)) + bytes(12)
        self.content = header + struct.pack("<I", crc32c(header))
        self.last_lsn = 0

    def _fragment(self, kind: int, data: bytes) -> None:
        tail = struct.pack("<HB", len(data), kind) + data
        place = struct.pack("<QQ", self.first_lsn, len(self.content))
        self.content += struct.pack("<I", crc32c(place + tail)) + tail

    def _begin(self) -> int:
        """Skips to the next block where no fragment fits; returns the room for data there."""
        left = BLOCK - len(self.content) % BLOCK
        if left <= 7:
            self.content += bytes(left)
            left = BLOCK
        return left - 7

    def append(self, data: bytes, lsn: int) -> None:
        first = True
        while first or data:
            room = self._begin()
            part, data = data[:room], data[room:]
            self._fragment((1 if not data else 2) if first else (4 if not data else 3), part)
            first = False
        self.last_lsn = lsn

    def write(self, folder: Path, closed: bool = True, reserved: int = 0) -> Path:
        if closed:
            self._begin()
            self._fragment(5, struct.pack("<Q", self.last_lsn))
        path = folder / f"{self.first_lsn:020}.wal"
        path.write_bytes(self.content + bytes(max(0, reserved - len(self.content))))
        return path


def payload_of(lsn: int) -> bytes:
    """Some records are longer than a block."""
    text = b'{"number":%d}' % lsn
    return text * 4000 if lsn % 7 == 0 else text


def write_log(folder: Path) -> list[Path]:
    """Two segments: LSN 1 (start) to 20 and, after another start, 21 to 40."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for first in (1, 21):
        segment = Segment(first)
        segment.append(record(first, struct.pack("<QQ", first - 1, 0), kind=START, source=0, connection=0), first)
        for lsn in range(first + 1, first + 20):
            segment.append(record(lsn, payload_of(lsn)), lsn)
        paths.append(segment.write(folder))
    return paths
