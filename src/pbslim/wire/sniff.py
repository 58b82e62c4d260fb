"""What kind of file is this, and how does it become one that can be read? For error messages.

Only what decides is looked at: magic numbers, then the trailer of checkpoints, then the outer fields of a protocol
buffer, then text. All of it bounded, and happy with any bytes. Packages are known by `pbslim.wire.memmapped`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from pbslim.errors import DecodeError
from pbslim.wire.varint import FIXED32, FIXED64, LEN, VARINT, read_varint


@dataclass(frozen=True)
class FileKind:
    """The name of a kind of file, and what to do with one."""

    name: str
    advice: str


_EXPORT = "keras.models.load_model('PATH').export('exported'), then give 'exported'"
_GIVE = "give the frozen GraphDef (.pb) of the model"
_SOURCE = "give the frozen TensorFlow graph that it was converted from"

_EMPTY = FileKind("an empty file", "check how it was made or copied")
_DIRECTORY = FileKind("a directory", _GIVE)
_OTHER = FileKind("no kind of file that is known here", _GIVE)
_GRAPH = FileKind(
    "a GraphDef", "pbslim reads these; one that it cannot read is damaged or truncated: copy or download it again"
)
_GRAPH_TEXT = FileKind("a GraphDef in text form", "pbslim reads these; one that it cannot read has a mistake in it")
_SAVED_MODEL = FileKind("a SavedModel", "give its folder, with the variables")
_META_GRAPH = FileKind("a MetaGraphDef (.meta)", "name it PREFIX.meta and put it beside the files of its checkpoint")
_CHECKPOINT = FileKind(
    "part of a checkpoint",
    "it holds variables, no graph; freeze the graph with it: pbslim freeze GRAPH --checkpoint PATH",
)
_ONNX = FileKind("an ONNX model", f"{_SOURCE}, or make a SavedModel of it with a converter such as onnx2tf")
_CORE_ML = FileKind("a Core ML model", _SOURCE)
_PROTOBUF = FileKind("a protocol buffer, but not a GraphDef", _GIVE)
_KERAS = FileKind("a Keras model", f"in the environment that made it, run {_EXPORT}")
_KERAS_HDF5 = FileKind("a Keras model in HDF5", f"in the environment that made it, run {_EXPORT}")
_KERAS_WEIGHTS = FileKind(
    "the weights of a Keras model",
    "they hold no graph: build the model in Python, model.load_weights('PATH'), model.export('exported'), "
    "and give 'exported'",
)
_HDF5 = FileKind("an HDF5 file, but not one of Keras", _GIVE)
_PYTORCH = FileKind("a PyTorch model", "pbslim works on TensorFlow graphs only")
_ARCHIVE = FileKind("a compressed archive", "unpack it first")
_PICTURE = FileKind("a picture", _GIVE)
_WEB_PAGE = FileKind("a web page", "download the file itself, not the page about it")
_LFS = FileKind("a Git LFS pointer", "fetch the file that it stands for with 'git lfs pull'")
_TFJS = FileKind("a TensorFlow.js model", "convert it to a frozen graph first")
_OPENVINO = FileKind("an OpenVINO model", _SOURCE)

_LFS_START = b"version https://git-lfs"
_MAGIC = (
    (4, b"TFL3", FileKind("a TensorFlow Lite model", _SOURCE)),
    (0, b"\x80\x02\x8a\x0al\xfc\x9cF\xf9 j\xa8P\x19", _PYTORCH),
    *((0, bytes([0x80, protocol]), FileKind("a Python pickle", _GIVE)) for protocol in (2, 3, 4, 5)),
    (0, b"\x1f\x8b", _ARCHIVE),  # gzip
    (0, b"BZh", _ARCHIVE),
    (0, b"\xfd7zXZ\0", _ARCHIVE),
    (0, b"\x28\xb5\x2f\xfd", _ARCHIVE),  # zstd
    (257, b"ustar", _ARCHIVE),
    (0, b"\x89PNG", _PICTURE),
    (0, b"\xff\xd8\xff", _PICTURE),  # JPEG
    (0, b"GIF8", _PICTURE),
    (8, b"WEBP", _PICTURE),
    (0, b"\x93NUMPY", FileKind("a numpy array", _GIVE)),
    (0, _LFS_START, _LFS),
)
_IN_ZIP = (
    (b"saved_model.pb", FileKind("a zipped SavedModel", "unpack it and give the folder")),
    (b"model.weights.h5", _KERAS),
    (b"keras_version", _KERAS),
    (b"/data.pkl", _PYTORCH),
)
# Names of attributes and groups at the root of the file, where HDF5 writes them first.
_IN_HDF5 = ((b"model_config", _KERAS_HDF5), (b"layer_names", _KERAS_WEIGHTS), (b"vars", _KERAS_WEIGHTS))
_IN_TEXT = (
    (re.compile(rb"(node|library|versions?)\s*[:{<]"), _GRAPH_TEXT),
    (re.compile(rb"saved_model_schema_version\s*:|meta_graphs\s*[:{<]"), _SAVED_MODEL),
    (re.compile(rb"(meta_info_def|graph_def)\s*[:{<]"), _META_GRAPH),
    (re.compile(rb"(all_)?model_checkpoint_path"), _CHECKPOINT),
    (re.compile(rb"<!doctype html|<html", re.IGNORECASE), _WEB_PAGE),
    (re.compile(rb'\{(?s:.)*"(modelTopology|weightsManifest)"'), _TFJS),
    (re.compile(rb"[{\[]"), FileKind("a JSON file", _GIVE)),
    (re.compile(rb"(<\?xml[^>]*>\s*)?<net\s"), _OPENVINO),
    (re.compile(rb"<\?xml"), FileKind("an XML file", _GIVE)),
    (re.compile(rb""), FileKind("a text file", "give a GraphDef in binary or in protobuf's text form")),
)
_BLANK_OR_COMMENT = re.compile(rb"(\xef\xbb\xbf)?\s*(#[^\n]*\n\s*)*")
_NOT_TEXT = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
_LEVELDB_MAGIC = bytes.fromhex("57fb808b247547db")
_OP = re.compile(rb"[A-Za-z_][A-Za-z0-9_.>/:-]*")
_MAX_FIELDS = 1000


def sniff(head: bytes, path: Path, tail: bytes = b"") -> FileKind:
    """The kind of the file at `path`, with its name where the advice needs it; never raises.

    Args:
        head: its first bytes; 64 KiB are enough. Empty for a directory.
        path: its name distinguishes the parts of a checkpoint; only for an empty `head` is it looked up.
        tail: its last bytes, by which checkpoints are known; 8 are enough.
    """
    found = _sniffed(head, path, tail)
    return replace(found, advice=found.advice.replace("PATH", str(path)))


def _sniffed(head: bytes, path: Path, tail: bytes) -> FileKind:
    if not head:
        return _without_content(path)
    for at, magic, kind in _MAGIC:
        if head[at : at + len(magic)] == magic:
            return kind
    if head.startswith(b"\x89HDF"):
        return next((kind for mark, kind in _IN_HDF5 if mark in head), _HDF5)
    if head.startswith(b"PK\x03\x04"):
        return _zip(head, path)
    if tail.endswith(_LEVELDB_MAGIC) or path.suffix == ".index" or ".data-" in path.name:
        return _CHECKPOINT
    # A protocol buffer of these kinds always holds control characters: what is text cannot be one.
    return _text(head) or _protobuf(memoryview(head)) or (_CHECKPOINT if path.suffix == ".ckpt" else _OTHER)


def is_graph_text(head: bytes) -> bool:
    """Whether a file that begins like this is a GraphDef in text form."""
    return b"\0" not in head and not head.startswith(_LFS_START) and _text(head) is _GRAPH_TEXT


def _without_content(path: Path) -> FileKind:
    try:
        if not path.is_dir():
            return _EMPTY
        return _SAVED_MODEL if any((path / f"saved_model.{end}").exists() for end in ("pb", "pbtxt")) else _DIRECTORY
    except (OSError, ValueError):  # a name that no file can have
        return _EMPTY


def _zip(head: bytes, path: Path) -> FileKind:
    if path.suffix == ".keras":
        return _KERAS
    return next((kind for mark, kind in _IN_ZIP if mark in head), FileKind("a zip archive", "unpack it first"))


def _text(head: bytes) -> FileKind | None:
    if head.startswith((b"\xff\xfe", b"\xfe\xff")):
        return FileKind("text in UTF-16", "save it as UTF-8")
    try:
        head.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start < len(head) - 3:  # else a character that the end of `head` cut
            return None
    if _NOT_TEXT.search(head):
        return None
    start = _BLANK_OR_COMMENT.match(head)
    at = start.end() if start else 0
    return next(kind for pattern, kind in _IN_TEXT if pattern.match(head, at))


@dataclass(frozen=True)
class _Field:
    number: int
    kind: int
    content: memoryview


def _fields(message: memoryview) -> list[_Field] | None:
    """The first fields; what the end of `message` cuts off is missing. None if this is not a message."""
    found: list[_Field] = []
    at, end = 0, len(message)
    try:
        while at < end and len(found) < _MAX_FIELDS:
            tag, start = read_varint(message, at, end)
            number, kind = tag >> 3, tag & 7
            if kind not in (VARINT, FIXED64, LEN, FIXED32) or not 0 < number < 1 << 29:
                return None
            if kind == VARINT:
                stop = read_varint(message, start, end)[1]
            elif kind == LEN:
                size, start = read_varint(message, start, end)
                stop = start + size
            else:
                stop = start + (8 if kind == FIXED64 else 4)
            found.append(_Field(number, kind, message[start:stop]))
            at = stop
    except DecodeError:
        if end - at > 20:  # more than a tag and a length that the end cuts
            return None
    return found


def _protobuf(head: memoryview) -> FileKind | None:
    fields = _fields(head)
    if not fields:
        return None
    for matches, kind in (
        (_is_graph, _GRAPH),
        (_is_meta_graph, _META_GRAPH),
        (_is_core_ml, _CORE_ML),
        (_is_saved_model, _SAVED_MODEL),
        (_is_onnx, _ONNX),
    ):
        if matches(fields):
            return kind
    # Few random bytes parse that far: the numbers of real fields are small, and more than one is there.
    plausible = len(fields) > 1 and all(each.number < 10_000 for each in fields)
    return _PROTOBUF if plausible else None


def _is_graph(fields: list[_Field]) -> bool:
    first = fields[0]
    if (first.number, first.kind) == (1, LEN):
        return _inside(first, _is_node)
    kinds = {2: LEN, 3: VARINT, 4: LEN}  # no nodes: library and versions only
    versions = [each for each in fields if each.number == 4]
    return (
        all(kinds.get(each.number) == each.kind for each in fields)
        and bool(versions)
        and all(_inside(each, _is_versions) for each in versions)
    )


def _is_node(fields: list[_Field]) -> bool:
    return any(each.number == 2 and each.kind == LEN and _OP.fullmatch(each.content) for each in fields)


def _is_versions(fields: list[_Field]) -> bool:
    return all(each.number in (1, 2, 3) for each in fields)


def _is_meta_graph(fields: list[_Field]) -> bool:
    first = fields[0]
    if (first.number, first.kind) == (1, LEN):
        return _inside(first, _is_meta_info)
    return (first.number, first.kind) == (2, LEN) and _inside(first, _is_graph)


def _is_meta_info(fields: list[_Field]) -> bool:
    kinds = {1: LEN, 2: LEN, 3: LEN, 4: LEN, 5: LEN, 6: LEN, 7: VARINT, 8: LEN}
    return all(kinds.get(each.number) == each.kind for each in fields) and any(
        (each.number == 2 and _inside(each, _is_op_list)) or (each.number in (4, 5) and _is_line(each))
        for each in fields
    )


def _is_op_list(fields: list[_Field]) -> bool:
    return _inside(fields[0], lambda op: op[0].number == 1 and bool(_OP.fullmatch(op[0].content)))


def _is_saved_model(fields: list[_Field]) -> bool:
    if not _is_versioned(fields) or (fields[1].number, fields[1].kind) != (2, LEN):
        return False
    return _inside(fields[1], _is_meta_graph) or (bytes(fields[0].content) == b"\x01" and not _is_line(fields[1]))


def _is_onnx(fields: list[_Field]) -> bool:
    return _is_versioned(fields) and any(
        each.kind == LEN and (each.number in (7, 8) or (each.number == 2 and _is_line(each))) for each in fields[1:]
    )


def _is_core_ml(fields: list[_Field]) -> bool:
    return _is_versioned(fields) and any(each.kind == LEN and 200 <= each.number < 4000 for each in fields[1:])


def _is_versioned(fields: list[_Field]) -> bool:
    return len(fields) > 1 and (fields[0].number, fields[0].kind) == (1, VARINT)


def _is_line(field: _Field) -> bool:
    return field.kind == LEN and re.fullmatch(rb"[ -~]+", field.content) is not None


def _inside(field: _Field, matches: Callable[[list[_Field]], bool]) -> bool:
    fields = _fields(field.content) if field.kind == LEN else None
    return bool(fields) and matches(fields or [])
