"""Builds SBE frames from Binance's schema file, knowing nothing but the file."""

import struct
import xml.etree.ElementTree as ElementTree
from pathlib import Path

SCHEMA = Path(__file__).parents[1] / "data" / "exchanges" / "binance_sbe" / "stream_1_0.xml"
PACK = {"int64": "<q", "uint8": "<B", "int8": "<b", "uint16": "<H", "uint32": "<I"}


class Schema:
    def __init__(self, path=SCHEMA):
        root = ElementTree.parse(path).getroot()
        self.id, self.version = int(root.get("id")), int(root.get("version"))
        self.primitive = {t.get("name"): t.get("primitiveType") for t in root.find("types").findall("type")}
        self.primitive |= {e.get("name"): e.get("encodingType") for e in root.find("types").findall("enum")}
        self.composite = {c.get("name"): {t.get("name"): t.get("primitiveType") for t in c.findall("type")}
                          for c in root.find("types").findall("composite")}
        self.messages = {m.get("name"): m for m in root if m.tag.endswith("message")}

    def block(self, element, values, extra):
        """The fields of a message or a group, and `extra` bytes that a later version would add."""
        packed = b"".join(struct.pack(PACK[self.primitive[field.get("type")]], values[field.get("name")])
                          for field in element.findall("field") if field.get("presence") != "constant")
        return packed + b"\xee" * extra

    def frame(self, name, values, extra=0, version=None):
        message = self.messages[name]
        root = self.block(message, values, extra)
        frame = struct.pack("<HHHH", len(root), int(message.get("id")), self.id,
                            self.version if version is None else version) + root
        for group in message.findall("group"):
            size = self.composite[group.get("dimensionType", "groupSizeEncoding")]
            entries = [self.block(group, entry, extra) for entry in values[group.get("name")]]
            entry_bytes = len(entries[0]) if entries else len(self.block(group, dict.fromkeys(
                (field.get("name") for field in group.findall("field")), 0), extra))
            frame += struct.pack(PACK[size["blockLength"]], entry_bytes)
            frame += struct.pack(PACK[size["numInGroup"]], len(entries)) + b"".join(entries)
        for data in message.findall("data"):
            text = values[data.get("name")].encode()
            frame += struct.pack("<B", len(text)) + text
        return frame
