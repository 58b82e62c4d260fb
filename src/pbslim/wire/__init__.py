"""Bytes ↔ graph; the only place that knows protocol buffers."""

from pbslim.wire.files import PROTOBUF_LIMIT, load, save, to_bytes, to_text
from pbslim.wire.nodes import input_text

__all__ = ["PROTOBUF_LIMIT", "input_text", "load", "save", "to_bytes", "to_text"]
