"""Bytes ↔ graph; the only place that knows protocol buffers."""

from pbslim.wire.files import PROTOBUF_LIMIT, load, load_from, save, to_text
from pbslim.wire.nodes import EXPLICIT_PORTS, input_text
from pbslim.wire.sources import open_source
from pbslim.wire.write import to_bytes

__all__ = [
    "EXPLICIT_PORTS",
    "PROTOBUF_LIMIT",
    "input_text",
    "load",
    "load_from",
    "open_source",
    "save",
    "to_bytes",
    "to_text",
]
