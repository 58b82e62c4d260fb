"""Bytes ↔ graph; the only place that knows protocol buffers."""

from pbslim.wire.files import PROTOBUF_LIMIT, load, save, to_bytes, to_text
from pbslim.wire.nodes import EXPLICIT_PORTS, input_text

__all__ = ["EXPLICIT_PORTS", "PROTOBUF_LIMIT", "input_text", "load", "save", "to_bytes", "to_text"]
