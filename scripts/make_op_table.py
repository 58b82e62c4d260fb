"""Make the tables of TensorFlow's ops from TensorFlow's own libraries.

src/pbslim/ops/table.tsv.gz has the definitions of the ops, history.tsv.gz what each release accepts.

First dump the ops of each release, then merge the dumps. A dump asks the C library, so TensorFlow's Python packages
need not be importable: an unpacked wheel will do. The ops of a release come from its main library
(``_pywrap_tensorflow_internal.so``, from 2.9 on ``libtensorflow_cc.so.2``) and from further op libraries::

    python3.7 scripts/make_op_table.py dump 1.15.5.pb tensorflow_core/python/_pywrap_tensorflow_internal.so \
        tensorflow_core/lite/experimental/microfrontend/python/ops/_audio_microfrontend_op.so
    python3.11 scripts/make_op_table.py merge src/pbslim/ops/table.tsv.gz 1.4.0.pb 1.15.5.pb 2.21.0.pb
    python3.11 scripts/make_op_table.py history src/pbslim/ops/history.tsv.gz 1.4.0.pb 1.15.5.pb 2.21.0.pb

Each dump is named after its release; beside it lies what else its library tells (``1.4.0.json``). Use the Python the
wheel is for (3.7 or later); ``merge`` and ``history`` need an importable TensorFlow for its OpDef messages. The same
dumps always give the same bytes.
"""

from __future__ import annotations

import argparse
import base64
import ctypes
import gzip
import importlib
import json
from pathlib import Path
from typing import Any

PREFERRED = (1, 15)
"""Where this release has an op, its definition is the base; later ones only add attributes that have a default."""


class _Buffer(ctypes.Structure):
    """TF_Buffer of TensorFlow's C interface."""

    _fields_ = (("data", ctypes.c_void_p), ("length", ctypes.c_size_t), ("deallocator", ctypes.c_void_p))


def dump(out: Path, library: Path, op_libraries: list[Path]) -> None:
    """Write the serialized OpList of all ops, internal ones included, that the libraries register, and the facts."""
    tensorflow = ctypes.CDLL(str(library.resolve()), mode=ctypes.RTLD_GLOBAL)
    tensorflow.TF_NewStatus.restype = ctypes.c_void_p
    tensorflow.TF_Message.restype = ctypes.c_char_p
    tensorflow.TF_GetAllOpList.restype = ctypes.POINTER(_Buffer)
    status = ctypes.c_void_p(tensorflow.TF_NewStatus())
    for path in op_libraries:
        tensorflow.TF_LoadLibrary(str(path.resolve()).encode(), status)
        if tensorflow.TF_GetCode(status):
            raise SystemExit(f"{path}: {tensorflow.TF_Message(status).decode()}")
    ops = tensorflow.TF_GetAllOpList().contents
    out.write_bytes(ctypes.string_at(ops.data, ops.length))
    out.with_suffix(".json").write_text(json.dumps(_facts(tensorflow)) + "\n")


def _facts(tensorflow: Any) -> dict[str, Any]:
    """What a release accepts besides its ops; it is asked by importing graphs of one node."""
    for name in ("TF_NewGraph", "TF_NewBuffer", "TF_NewBufferFromString", "TF_NewImportGraphDefOptions"):
        getattr(tensorflow, name).restype = ctypes.c_void_p
    tensorflow.TF_NewBufferFromString.argtypes = (ctypes.c_char_p, ctypes.c_size_t)

    def imports(name: bytes, op: bytes, attr: bytes, value: bytes) -> bool:
        node = _field(1, name) + _field(2, op) + _field(5, _field(1, attr) + _field(2, value))
        graph = _field(1, node)
        status = ctypes.c_void_p(tensorflow.TF_NewStatus())
        tensorflow.TF_GraphImportGraphDef(
            ctypes.c_void_p(tensorflow.TF_NewGraph()),
            ctypes.c_void_p(tensorflow.TF_NewBufferFromString(graph, len(graph))),
            ctypes.c_void_p(tensorflow.TF_NewImportGraphDefOptions()),
            status,
        )
        return tensorflow.TF_GetCode(status) == 0

    buffer = ctypes.c_void_p(tensorflow.TF_NewBuffer())
    status = ctypes.c_void_p(tensorflow.TF_NewStatus())
    tensorflow.TF_GraphToGraphDef(ctypes.c_void_p(tensorflow.TF_NewGraph()), buffer, status)
    empty = ctypes.cast(buffer, ctypes.POINTER(_Buffer)).contents
    return {
        "empty_graph": ctypes.string_at(empty.data, empty.length).hex(),
        "types": [n for n in range(1, 100) if imports(b"n", b"Placeholder", b"dtype", bytes([0x30, n]))],
        "ignores_unknown_attrs": imports(b"n", b"NoOp", b"unknown", b"\x18\x01"),
        "allows_angle_in_names": imports(b"a>b", b"NoOp", b"_a", b"\x18\x01"),
    }


def _field(number: int, content: bytes) -> bytes:
    """A short field of a message."""
    return bytes([number << 3 | 2, len(content)]) + content


def _value(kind: str, value: Any) -> Any:
    """An AttrValue of the given kind as JSON; strings are Latin-1, so that each byte is one character."""
    if kind.startswith("list("):
        kind = kind[5:-1]
        field = {"string": "s", "int": "i", "float": "f", "bool": "b"}.get(kind, kind)
        return [_plain(kind, item) for item in getattr(value.list, field)]
    return _plain(kind, getattr(value, value.WhichOneof("value")))


def _plain(kind: str, value: Any) -> Any:
    if kind == "string":
        return value.decode("latin-1")
    if kind == "shape":
        return None if value.unknown_rank else [dim.size for dim in value.dim]
    if kind == "tensor":
        array = importlib.import_module("tensorflow").make_ndarray(value)
        data = base64.b64encode(array.tobytes()).decode("ascii")
        return {"dtype": array.dtype.name, "shape": list(array.shape), "data": data}
    if kind == "func":
        return value.name
    return value


def _arguments(arguments: Any) -> list[dict[str, Any]]:
    fields = ("name", "type", "type_attr", "number_attr", "type_list_attr", "is_ref")
    return [{f: getattr(a, f) for f in fields if getattr(a, f)} for a in arguments]


def _attribute(attr: Any) -> dict[str, Any]:
    entry = {"name": attr.name, "kind": attr.type}
    if attr.HasField("default_value"):
        entry["default"] = _value(attr.type, attr.default_value)
    if attr.HasField("allowed_values"):
        kind = "list(string)" if attr.type.endswith(("string", "string)")) else "list(type)"
        entry["allowed"] = _value(kind, attr.allowed_values)
    return entry


def _merge_op(history: list[tuple[tuple[int, ...], Any]]) -> dict[str, Any]:
    """One entry from the definitions of an op, given from the oldest release to the newest."""
    bases = [d for release, d in history if release[:2] == PREFERRED]
    later = [d for release, d in history if release > (*PREFERRED, 99)]
    base = (bases or later or [history[-1][1]])[0]
    ports = base
    attrs = {a.name: _attribute(a) for a in base.attr}
    for definition in later:
        names = {a.name for a in definition.attr}
        added = [a for a in definition.attr if a.name not in attrs]
        if not names.issuperset(attrs) or not all(a.HasField("default_value") for a in added):
            break  # internal ops change as they please: graphs of the older form are the ones that exist
        attrs.update((a.name, _attribute(a)) for a in added)
        for attr in definition.attr:  # later releases accept more types
            if attrs[attr.name].pop("allowed", None) and attr.HasField("allowed_values"):
                attrs[attr.name]["allowed"] = _attribute(attr)["allowed"]
        ports = definition
    since = history[0][0]
    for name, entry in attrs.items():
        first = next(release for release, d in history if any(a.name == name for a in d.attr))
        if first != since:
            entry["since"] = _release_text(first)
    entry = {
        "since": _release_text(since),
        "inputs": _arguments(ports.input_arg),
        "outputs": _arguments(ports.output_arg),
        "attrs": list(attrs.values()),
    }
    entry.update({flag: True for flag in ("is_stateful", "is_commutative") if getattr(base, flag)})
    return entry


def _release_text(release: tuple[int, ...]) -> str:
    return ".".join(map(str, release[:2]))


def _read(dumps: list[Path]) -> tuple[dict[tuple[int, ...], Path], dict[str, list[tuple[tuple[int, ...], Any]]]]:
    """The releases, and the definitions of each op from the oldest to the newest."""
    op_list = importlib.import_module("tensorflow.core.framework.op_def_pb2").OpList
    history: dict[str, list[tuple[tuple[int, ...], Any]]] = {}
    releases = {tuple(map(int, path.stem.split("."))): path for path in dumps}
    for release in sorted(releases):
        for op in op_list.FromString(releases[release].read_bytes()).op:
            history.setdefault(op.name, []).append((release, op))
    return releases, history


def merge(out: Path, dumps: list[Path]) -> None:
    """Write the table from dumps that are named ``<release>.pb``."""
    _, history = _read(dumps)
    entries = ((name, _json(_merge_op(history[name]))) for name in history)
    _write(out, "".join(f"{name}\t{entry}\n" for name, entry in sorted(entries)))


def write_history(out: Path, dumps: list[Path]) -> None:
    """Write what each release accepts: a line about the releases, then one for each op.

    An op's line has an entry for each release in which something changed: the number of the release, and null when
    the op is gone, else the version of graphs from which on it is refused (0 for none) and its attributes. Those
    that a node must have end in ``!``. An attribute's value is the list of what it can be, empty for anything.
    """
    releases, history = _read(dumps)
    order = sorted(releases)
    lines = [f"\t{_json([_release(release, releases[release]) for release in order])}\n"]
    for name, definitions in sorted(history.items()):
        found: list[list[Any]] = []
        by_release = dict(definitions)
        for number, release in enumerate(order):
            accepted = _accepted(by_release[release]) if release in by_release else None
            if accepted != (found[-1][1] if found else None):
                found.append([number, accepted])
        lines.append(f"{name}\t{_json(found)}\n")
    _write(out, "".join(lines))


def _release(release: tuple[int, ...], dump: Path) -> dict[str, Any]:
    facts = json.loads(dump.with_suffix(".json").read_text())
    graph = importlib.import_module("tensorflow.core.framework.graph_pb2").GraphDef
    version = graph.FromString(bytes.fromhex(facts.pop("empty_graph"))).versions.producer
    return {"name": _release_text(release), "graph_version": version, **facts}


def _accepted(definition: Any) -> list[Any]:
    attrs = {}
    for attr in definition.attr:
        entry = _attribute(attr)
        attrs[attr.name + ("" if "default" in entry else "!")] = sorted(entry.get("allowed", []))
    return [definition.deprecation.version, attrs]


def _json(content: Any) -> str:
    return json.dumps(content, separators=(",", ":"), sort_keys=True)


def _write(out: Path, text: str) -> None:
    out.write_bytes(gzip.compress(text.encode(), compresslevel=9, mtime=0))


def main() -> None:
    """Read the command line and run ``dump``, ``merge`` or ``history``."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("dump", help="write the ops that a release registers")
    one.add_argument("out", type=Path)
    one.add_argument("library", type=Path)
    one.add_argument("op_libraries", type=Path, nargs="*")
    both = commands.add_parser("merge", help="write the table from the dumps of several releases")
    both.add_argument("out", type=Path)
    both.add_argument("dumps", type=Path, nargs="+")
    accepted = commands.add_parser("history", help="write what each release accepts from their dumps")
    accepted.add_argument("out", type=Path)
    accepted.add_argument("dumps", type=Path, nargs="+")
    arguments = parser.parse_args()
    if arguments.command == "dump":
        dump(arguments.out, arguments.library, arguments.op_libraries)
    elif arguments.command == "merge":
        merge(arguments.out, arguments.dumps)
    else:
        write_history(arguments.out, arguments.dumps)


if __name__ == "__main__":
    main()
