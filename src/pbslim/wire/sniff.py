"""What kind of file is this? Told from its first and last bytes, for error messages."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pbslim.errors import DecodeError
from pbslim.wire.varint import LEN, VARINT, fields

_LEVELDB_MAGIC = bytes.fromhex("57fb808b247547db")
_FREEZE = (
    "freeze it first (tf.compat.v1.graph_util.convert_variables_to_constants or convert_variables_to_constants_v2)"
)


@dataclass(frozen=True)
class FileKind:
    """The name of a kind of file, and what to do with one."""

    name: str
    advice: str


_EMPTY = FileKind("an empty file", "check how it was made or copied")
_CHECKPOINT = FileKind("part of a checkpoint", f"it holds variables, no graph; {_FREEZE}")
_SAVED_MODEL = FileKind("a SavedModel", _FREEZE)
_PACKAGE = FileKind("a memory-mapped package", "convert the graph that it was made from instead")
_OTHER = FileKind("no kind of file that is known here", "give the frozen GraphDef (.pb) of the model")
_DAMAGED = FileKind("a damaged or truncated GraphDef", "copy or download it again")

_MAGIC = (
    (0, b"\x89HDF", FileKind("an HDF5 file (Keras)", "load it in Keras and freeze the graph")),
    (4, b"TFL3", FileKind("a TensorFlow Lite model", "give the frozen graph that it was converted from")),
    (0, b"PK\x03\x04", FileKind("a zip archive", "unpack it; a .keras file must be loaded in Keras and frozen")),
    (0, b"\x1f\x8b", FileKind("a gzip archive", "unpack it first")),
    (0, b"\x80\x02", FileKind("a Python pickle", "give the frozen GraphDef (.pb) of the model")),
    (0, b"\x89PNG", FileKind("a picture", "give the frozen GraphDef (.pb) of the model")),
    (0, b"\xff\xd8\xff", FileKind("a picture", "give the frozen GraphDef (.pb) of the model")),
    (0, b"<?xml", FileKind("an XML file", "give the frozen GraphDef (.pb) of the model")),
    (0, b"{", FileKind("a JSON file", "a TensorFlow.js model must be converted to a frozen graph first")),
)


def sniff(head: bytes, path: Path, tail: bytes = b"") -> FileKind:
    """The kind of file with these first (and last) bytes; never raises."""
    if not head:
        return _EMPTY
    for at, magic, kind in _MAGIC:
        if head[at : at + len(magic)] == magic:
            return kind
    if tail.endswith(_LEVELDB_MAGIC) or ".data-" in path.name or path.suffix in (".index", ".ckpt"):
        return _CHECKPOINT
    by_fields = _by_fields(head)
    if by_fields:
        return by_fields
    if len(tail) >= 8 and _package_directory(head, tail):
        return _PACKAGE
    if b"\0" not in head and _is_text(head):
        return FileKind("a text file", "give a GraphDef in binary or in protobuf's text form")
    return _OTHER


def _is_text(head: bytes) -> bool:
    try:
        head[:4096].decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start > 4000
    return True


def _package_directory(head: bytes, tail: bytes) -> bool:
    # A package ends with the offset of its directory; its regions start at aligned places, so it opens with zeros
    # or weights rather than with a node.
    offset = int.from_bytes(tail[-8:], "little")
    return 0 < offset < 1 << 40 and b"memmapped_package://" in head + tail


def _by_fields(head: bytes) -> FileKind | None:
    numbers: list[tuple[int, int]] = []
    try:
        for number, kind, start, stop in fields(memoryview(head), 0, len(head), "a file"):
            numbers.append((number, kind))
            if numbers[0] == (1, LEN) and head[start : start + 1] != b"\x0a" and len(numbers) == 1:
                return _meta_graph(head, start, stop)
    except DecodeError:
        pass  # the head of a longer file ends somewhere in the middle
    return _by_numbers(head, numbers)


def _by_numbers(head: bytes, numbers: list[tuple[int, int]]) -> FileKind | None:
    if head[:2] == b"\x08\x01" and head[2:3] == b"\x12":
        return _SAVED_MODEL
    if head[:1] == b"\x08" and (head[2:3] == b"\x12" or head[2:3] == b":"):
        return FileKind("an ONNX model", "give the frozen TensorFlow graph that it was converted from")
    if head[:1] == b"\x0a" and (not numbers or numbers[0] == (1, LEN)):
        return _DAMAGED
    if numbers and all(kind in (LEN, VARINT) for _, kind in numbers):
        return FileKind("a protocol buffer, but not a GraphDef", "give the frozen GraphDef (.pb) of the model")
    return None


def _meta_graph(head: bytes, start: int, stop: int) -> FileKind | None:
    if b"stripped_op_list" in head or head[start : start + 1] in (b"\x12", b"\x22", b"\x2a"):
        return FileKind("a MetaGraphDef (.meta)", f"it holds no weights; {_FREEZE}")
    return None if stop > len(head) else _DAMAGED
