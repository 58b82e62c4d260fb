"""What a package must be like: every rule of TensorFlow's loader, and those that it lacks."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import pbslim
from pbslim.analysis.inspection import inspect_file
from pbslim.dtypes import DTYPES
from pbslim.errors import DecodeError, GraphError, PbslimError, UsageError
from pbslim.wire import schema
from pbslim.wire.memmapped import lay_out, package_of
from pbslim.wire.packages import GRAPH_REGION, PREFIX, read_directory
from pbslim.wire.unmap import unmap
from pbslim.wire.varint import VARINT, length_delimited, tag, varint
from tests import functions, graphs, packages
from tests.packages import Entry, Pieces, edit_graph, take_apart

GRAPH = """
    x = Placeholder()
    w = Const([[1, 2], [3, 4]])
    b = Const([5, 6, 7])
    y = MatMul(x, w)
    z = BiasAdd(y, b)
    -> z
"""
FUNCTIONS = {"F(a: float)": "w = Const([[1, 2], [3, 4]])\ny = MatMul(a, w:output:0)\n-> r = y:product:0"}


@pytest.fixture
def sound(tmp_path: Path) -> bytes:
    """Regions w (0, 16 bytes), b (64, 12 bytes) and the graph (76)."""
    return packages.convert(graphs.parse(GRAPH)[0], tmp_path)


def spoiled(package: bytes, edit: Callable[[Pieces], object]) -> bytes:
    pieces = take_apart(package)
    edit(pieces)
    return pieces.to_bytes()


def put(thing: Any, **values: Any) -> None:
    for key, value in values.items():
        setattr(thing, key, value)


def swap(pieces: Pieces) -> None:
    pieces.entries[0], pieces.entries[1] = pieces.entries[1], pieces.entries[0]


DIRECTORY: dict[str, tuple[Callable[[Pieces], object], str]] = {
    "a directory beyond the end": (lambda p: put(p, offset=10_000), "its last 8 bytes say that the directory starts"),
    "the largest number": (lambda p: put(p, offset=(1 << 64) - 1), "starts at byte 18446744073709551615 of"),
    "no directory": (lambda p: put(p, entries=[]), "it has no graph"),
    "no message": (lambda p: put(p, extra=b"\x0a\x7f"), "the directory: a field at byte .* claims 127 bytes"),
    "a group": (lambda p: put(p, extra=b"\x0b\x0c"), "a field of unknown kind"),
    "a name without the prefix": (lambda p: put(p["b"], name=b"b"), "'b' does not start with memmapped_package://"),
    "a name that is not text": (lambda p: put(p["b"], name=PREFIX.encode() + b"\xff"), "is not UTF-8 text"),
    "no name": (lambda p: put(p["b"], name=b""), "'' does not start with"),
    "one name twice": (
        lambda p: put(p["b"], name=PREFIX.encode() + b"w"),
        "two regions are called 'memmapped_package://w'",
    ),
    "out of order": (swap, "w' at byte 0 does not come after the one before it"),
    "two at one place": (lambda p: put(p["b"], offset=0), "b' at byte 0 does not come after"),
    "at the directory": (lambda p: put(p["."], offset=len(p.body), length=0), "is not before the directory at byte"),
    "behind the end": (lambda p: put(p["."], offset=(1 << 64) - 1), "is not before the directory at byte"),
    "an overlap": (lambda p: put(p["w"], length=65), "w' reaches to byte 65, what follows starts at 64"),
    "into the directory": (lambda p: put(p["."], length=p["."].length + 1), "'memmapped_package://.' reaches to"),
    "beyond every file": (lambda p: put(p["b"], length=(1 << 64) - 1), "reaches to byte 18446744073709551679"),
    "no graph": (lambda p: put(p["."], name=PREFIX.encode() + b"g"), "it has no graph"),
    "an empty graph": (lambda p: put(p["."], length=0), "its graph region is empty"),
    "a graph without nodes": (
        lambda p: put(p, graph=length_delimited(4, tag(1, VARINT) + b"\x1b")),
        "its graph has no nodes",
    ),
    "no GraphDef": (lambda p: put(p, graph=b"\x0a\x05no"), "the graph: a field at byte 0 claims 5 bytes"),
    "half a GraphDef": (lambda p: put(p["."], length=p["."].length // 2), "claims"),
    "between multiples of 64": (lambda p: put(p["b"], offset=60, length=16), "starts at byte 60, not a multiple of 64"),
    "too short": (lambda p: put(p["b"], length=11), r"b' has 11 bytes, node 'b' \(float \[3\]\) needs 12"),
    "no region": (lambda p: p.entries.remove(p["b"]), "'b' wants 'memmapped_package://b', which is not a region"),
}


@pytest.mark.parametrize(("edit", "says"), DIRECTORY.values(), ids=DIRECTORY)
def test_a_wrong_directory_is_refused(
    sound: bytes, edit: Callable[[Pieces], object], says: str, tmp_path: Path
) -> None:
    refused(spoiled(sound, edit), says, tmp_path)


def refused(package: bytes, says: str, folder: Path) -> None:
    """By all that reads packages, in the same words."""
    path = folder / "spoiled.pbmm"
    path.write_bytes(package)
    for read in (pbslim.load, inspect_file, lambda path: unmap(path, folder / "g.pb")):
        with pytest.raises(PbslimError, match=says) as error:
            read(path)
        assert str(error.value).startswith(f"'{path}' is ")
    assert not (folder / "g.pb").exists()


@pytest.mark.parametrize("change", [lambda data: data + b"\0", lambda data: data[:-1], lambda data: data[1:]])
def test_bytes_too_many_or_too_few(sound: bytes, change: Callable[[bytes], bytes], tmp_path: Path) -> None:
    refused(change(sound), "is a damaged memory-mapped package: ", tmp_path)


def test_a_tiny_file_is_none() -> None:
    for size in range(9):
        with pytest.raises(DecodeError, match="not even room"):
            read_directory(bytes(size))
    with pytest.raises(DecodeError, match="it has no graph"):  # TensorFlow calls this a package of nothing
        read_directory(b"x" + (1).to_bytes(8, "little"))


def node(message: Any, name: str = "b") -> Any:
    return next(node for node in message.node if node.name == name)


def shape(*dims: int) -> Callable[[Any], None]:
    def edit(message: Any) -> None:
        found = node(message).attr["shape"].shape
        del found.dim[:]
        for dim in dims:
            found.dim.add(size=dim)

    return edit


def region(name: bytes) -> Callable[[Any], None]:
    return lambda message: setattr(node(message).attr["memory_region_name"], "s", name)


def dtype(number: int) -> Callable[[Any], None]:
    return lambda message: setattr(node(message).attr["dtype"], "type", number)


NODES: dict[str, tuple[Callable[[Any], object], str]] = {
    "no type": (lambda m: node(m).attr.pop("dtype"), "has no type or no shape"),
    "no shape": (lambda m: node(m).attr.pop("shape"), "has no type or no shape"),
    "no region": (lambda m: node(m).attr.pop("memory_region_name"), "'b' .* does not name its region"),
    "a number for a name": (lambda m: setattr(node(m).attr["memory_region_name"], "i", 1), "does not name its region"),
    "an unknown dimension": (shape(3, -1), "no shape that a constant can have"),
    "an unknown rank": (lambda m: setattr(node(m).attr["shape"].shape, "unknown_rank", True), "no shape"),
    "another size": (shape(4), r"b' has 12 bytes, node 'b' \(float \[4\]\) needs 16"),
    "elements without end": (shape(1 << 62, 1 << 62), "no shape that a constant can have"),
    "nothing of a dimension without end": (shape(0, (1 << 63) - 1), "no shape that a constant can have"),
    "too many dimensions": (shape(*[1] * 300), "no shape that a constant can have"),
    "a wider type": (dtype(2), r"\(double \[3\]\) needs 24"),
    "strings": (dtype(7), "is of type string, which cannot be mapped"),
    "resources": (dtype(20), "is of type resource, which cannot be mapped"),
    "references": (dtype(101), "is of type float_ref, which cannot be mapped"),
    "an unknown type": (dtype(99), "data type number 99, which is not known"),
    "another region": (region(PREFIX.encode() + b"nope"), "'memmapped_package://nope', which is not a region"),
    "the graph's region": (region(GRAPH_REGION.encode()), "'memmapped_package://.', which is not a region"),
    "a path through the prefix": (
        region(b"memmapped_package://../../etc/passwd"),
        "which is not a region of the package",
    ),
    "an ordinary file": (region(b"/etc/passwd"), "node 'b' wants '/etc/passwd', which is not a region of the package"),
    "a file that never ends": (region(b"/dev/zero"), "wants '/dev/zero', which is not a region"),
    "a name that is not text": (region(b"\xff"), "which is not a region"),
    "no name": (region(b""), "node 'b' wants '', which is not a region"),
    "a value left": (lambda m: setattr(node(m).attr["value"].tensor, "dtype", 1), "has an attribute 'value', which"),
    "inputs": (lambda m: node(m).input.append("x"), r"node 'b' \(ImmutableConst\) has inputs, which runtimes refuse"),
}


@pytest.mark.parametrize(("edit", "says"), NODES.values(), ids=NODES)
def test_a_wrong_node_is_refused(sound: bytes, edit: Callable[[Any], object], says: str, tmp_path: Path) -> None:
    refused(edit_graph(sound, edit), says, tmp_path)


def test_nodes_in_functions_count(tmp_path: Path) -> None:
    graph = functions.load("x = Placeholder()\ny = F(x)\n-> y", FUNCTIONS)
    package = packages.convert(graph, tmp_path)

    def edit(message: Any) -> None:
        message.library.function[0].node_def[0].attr["memory_region_name"].s = b"/etc/passwd"

    refused(edit_graph(package, edit), "node 'F/w' wants '/etc/passwd', which is not a region", tmp_path)


def test_two_nodes_of_one_name(sound: bytes) -> None:
    with pytest.raises(GraphError, match="a memory-mapped package: the graph has two nodes named 'x'"):
        pbslim.load(edit_graph(sound, lambda message: setattr(node(message), "name", "x")))


def gap(pieces: Pieces, size: int, fill: bytes) -> None:
    """Bytes between the tensors and the graph."""
    start = pieces["."].offset
    pieces.body = pieces.body[:start] + fill * size + pieces.body[start:]
    pieces["."].offset += size


def unused(pieces: Pieces) -> None:
    pieces.entries.insert(1, Entry(PREFIX.encode() + b"more", 64, 12))
    pieces["b"].offset = 128
    pieces.body = pieces.body[:64] + pieces.body[64:76].ljust(64, b"\0") + pieces.body[64:]
    pieces["."].offset += 64


def no_lengths(pieces: Pieces) -> None:
    for entry in pieces.entries:
        entry.length = 0


PADDING = "something between the regions that is not padding: byte"
REMARKS: dict[str, tuple[Callable[[Pieces], object], list[str]]] = {
    "nothing": (lambda p: p, []),
    "padding before the graph": (lambda p: gap(p, 52, b"\0"), []),
    "unknown fields": (lambda p: put(p, extra=b"\x10\x01"), ["the directory has fields that are not known here"]),
    "no lengths": (no_lengths, ["the directory has no lengths (an old file, newer runtimes need them): a region ends"]),
    "something in a gap": (lambda p: gap(p, 1, b"x"), [f"{PADDING} 76"]),
    "a large gap": (lambda p: gap(p, 64, b"\0"), [f"{PADDING} 76"]),
    "something before the directory": (lambda p: put(p, body=p.body + b"x"), [f"{PADDING} "]),
    "a long region": (
        lambda p: put(p["w"], length=20),
        ["regions that are longer than their constants: memmapped_package://w"],
    ),
    "a region too many": (unused, ["regions that no node uses: memmapped_package://more"]),
}


@pytest.mark.parametrize(("edit", "remarks"), REMARKS.values(), ids=REMARKS)
def test_what_runtimes_accept_is_remarked_on(
    sound: bytes, edit: Callable[[Pieces], object], remarks: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "g.pbmm"
    path.write_bytes(spoiled(sound, edit))
    graph = pbslim.load(path)
    package = package_of(graph)
    assert package
    assert len(package.remarks) == len(remarks)
    assert all(map(str.startswith, package.remarks, remarks))
    assert [text for text in inspect_file(path).advice if text in package.remarks] == package.remarks
    assert graph["w"].tensor().numpy().tolist() == [[1, 2], [3, 4]]
    assert graph["b"].tensor().numpy().tolist() == [5, 6, 7]
    unmap(path, tmp_path / "g.pb")
    assert pbslim.load(tmp_path / "g.pb")["b"].tensor().numpy().tolist() == [5, 6, 7]


def test_something_before_the_first_region(sound: bytes) -> None:
    pieces = take_apart(sound)
    pieces.body = b"x".ljust(64, b"\0") + pieces.body
    for entry in pieces.entries:
        entry.offset += 64
    package = package_of(pbslim.load(pieces.to_bytes()))
    assert package
    assert package.remarks == [f"{PADDING} 0"]


def test_names_that_tensorflow_does_not_write(sound: bytes) -> None:
    name = PREFIX.encode() + b"a/b"
    package = edit_graph(spoiled(sound, lambda p: put(p["b"], name=name)), region(name))
    found = package_of(pbslim.load(package))
    assert found
    assert found.remarks == ["regions with names as TensorFlow does not write them: memmapped_package://a/b"]


def test_many_remarks_are_one(tmp_path: Path) -> None:
    pieces = take_apart(packages.convert(graphs.parse("y = NoOp()")[0], tmp_path))
    pieces.body = bytes(64 * 9) + pieces.body
    pieces.entries[0].offset = 64 * 9
    pieces.entries[:0] = [Entry(f"{PREFIX}r{k}".encode(), 64 * k, 64) for k in range(9)]
    found = package_of(pbslim.load(pieces.to_bytes()))
    assert found
    assert found.remarks == [f"regions that no node uses: {PREFIX}r0, {PREFIX}r1, {PREFIX}r2 and 6 more"]


def test_what_inspect_tells(sound: bytes, tmp_path: Path) -> None:
    path = tmp_path / "g.pbmm"
    path.write_bytes(sound)
    found = {each.name.removeprefix(PREFIX): each for each in inspect_file(path).regions}
    assert [(name, each.offset, each.length, each.alignment) for name, each in found.items()] == [
        ("w", 0, 16, 4096),
        ("b", 64, 12, 64),
        (".", 76, read_directory(sound).directory_offset - 76, 4),
    ]
    assert [(each.dtype, each.shape, each.nodes) for each in found.values()] == [
        ("float", "[2, 2]", ["w"]),
        ("float", "[3]", ["b"]),
        ("", "", []),
    ]


def test_an_ordinary_graph_may_end_with_the_name_of_a_region(sound: bytes, tmp_path: Path) -> None:
    """As the graph out of a package does, when nothing follows its last constant."""
    message = take_apart(sound).graph
    message.ClearField("versions")
    message.node.add().CopyFrom(node(message))
    message.node[-1].name = "last"
    path = tmp_path / "inner.pb"
    path.write_bytes(message.SerializeToString(deterministic=True))
    graph = pbslim.load(path)
    assert package_of(graph) is None
    assert [node.name for node in graph if node.op == "ImmutableConst"] == ["w", "b", "last"]
    assert "3 constants with values in other files, such as 'w'" in inspect_file(path).advice
    with pytest.raises(UsageError, match="not a memory-mapped package"):
        unmap(path, tmp_path / "g.pb")
    with pytest.raises(GraphError, match=r"the value of node 'w' \(ImmutableConst\) is in another file"):
        pbslim.convert_graphdef_memmapped_format(graph, tmp_path / "g.pbmm")
    assert not (tmp_path / "g.pbmm").exists()


def test_constants_in_other_files_of_functions(tmp_path: Path) -> None:
    body = "w = ImmutableConst(dtype='float', shape=[2, 2], memory_region_name='f')"
    graph = functions.load("x = Placeholder()\ny = F(x)\n-> y", {"F(a: float)": f"{body}\n-> r = w:tensor:0"})
    with pytest.raises(GraphError, match="function 'F' reads a value from another file"):
        pbslim.convert_graphdef_memmapped_format(graph, tmp_path / "g.pbmm")


def test_values_that_were_changed_in_the_file_come_back_as_they_are(tmp_path: Path) -> None:
    """A typed list said them with fewer elements; now it cannot."""
    message = schema.new("GraphDef")
    const = message.node.add(name="w", op="Const")
    const.attr["dtype"].type = 1
    tensor = const.attr["value"].tensor
    tensor.dtype = 1
    tensor.float_val.extend([1, 2, 3])
    tensor.tensor_shape.dim.add(size=50)
    package = packages.convert(pbslim.load(message.SerializeToString()), tmp_path)
    path = tmp_path / "g.pbmm"
    for place, count in ((0, 3), (2, 50), (3, 50), (49, 50)):
        changed = bytearray(package)
        changed[4 * place : 4 * place + 4] = np.float32(9).tobytes()
        path.write_bytes(changed)
        unmap(path, tmp_path / "g.pb")
        expected = np.r_[[1, 2], [3] * 48].astype(np.float32)
        expected[place] = 9
        assert pbslim.load(tmp_path / "g.pb")["w"].tensor().numpy().tolist() == expected.tolist()
        message.ParseFromString((tmp_path / "g.pb").read_bytes())
        stored = message.node[0].attr["value"].tensor
        assert len(stored.float_val) == (3 if count == 3 else 0)


@pytest.mark.parametrize("number", [n for n, dtype in DTYPES.items() if dtype.itemsize and not dtype.is_ref])
def test_a_lie_about_lists_does_no_harm(number: int, tmp_path: Path) -> None:
    size = DTYPES[number].itemsize
    pieces = Pieces(bytes(10 * size), [Entry(PREFIX.encode() + b"w", 0, 10 * size), Entry(GRAPH_REGION.encode(), 0, 0)])
    message = schema.new("GraphDef")
    const = message.node.add(name="w", op="ImmutableConst")
    const.attr["dtype"].type = number
    const.attr["shape"].shape.dim.add(size=10)
    const.attr["memory_region_name"].s = PREFIX.encode() + b"w"
    pieces["."].offset = 10 * size
    for listed in (1, 10, 11, -1, 1 << 62):
        const.attr["_pbslim_listed"].i = listed
        pieces.graph = message
        (tmp_path / "g.pbmm").write_bytes(pieces.to_bytes())
        unmap(tmp_path / "g.pbmm", tmp_path / "g.pb")
        assert np.all(pbslim.load(tmp_path / "g.pb")["w"].tensor().numpy() == np.zeros(10, DTYPES[number].numpy))


def test_regions_are_laid_out_under_names_of_our_own(sound: bytes, tmp_path: Path) -> None:
    name = PREFIX.encode() + b"../../outside"
    path = tmp_path / "g.pbmm"
    path.write_bytes(edit_graph(spoiled(sound, lambda p: put(p["b"], name=name)), region(name)))
    folder = tmp_path / "out"
    folder.mkdir()
    graph = pbslim.load(lay_out(path, folder))
    assert sorted(file.name for file in tmp_path.rglob("*")) == [
        "g.pbmm",
        "graph.pb",
        "made.pbmm",
        "out",
        "region_0",
        "region_1",
    ]
    files = [graph[name].attrs["memory_region_name"] for name in ("w", "b")]
    assert files == [str(folder / "region_0").encode(), str(folder / "region_1").encode()]
    assert (folder / "region_1").read_bytes() == np.array([5, 6, 7], np.float32).tobytes()


def test_an_unknown_field_of_an_entry_is_skipped(sound: bytes) -> None:
    pieces = take_apart(sound)
    last = pieces.entries.pop()
    content = tag(1, VARINT) + varint(last.offset) + length_delimited(2, last.name) + tag(3, VARINT)
    pieces.extra = length_delimited(1, content + varint(last.length) + tag(9, VARINT) + b"\x01")
    assert package_of(pbslim.load(pieces.to_bytes()))


def test_a_truncated_package_is_recognized(tmp_path: Path) -> None:
    """Wherever it is cut behind the first mention of a region; of what lies before, nobody can tell what it is."""
    text = GRAPH.replace("-> z", "\n".join(f"z{i} = Relu(z)" for i in range(1000)) + "\n-> z")
    package = packages.convert(graphs.parse(text)[0], tmp_path)
    first = package.index(PREFIX.encode()) + len(PREFIX)
    assert len(package) > 3 * 4096
    path = tmp_path / "cut.pbmm"
    for size in (first, first + 1, len(package) // 2, len(package) - 300, len(package) - 8, len(package) - 1):
        path.write_bytes(package[:size])
        with pytest.raises(DecodeError, match=r"cut\.pbmm' is a damaged memory-mapped package: "):
            pbslim.load(path)
