"""Memory-mapped packages: the weights of a graph as regions of a file, which a runtime maps instead of loading.

::

    tensor region      at a multiple of 64 bytes
    zeros              up to the next multiple of 64
    ...
    graph region       a GraphDef; in it, an ImmutableConst names the region of its elements
    directory          name, offset and length of each region
    directory offset   8 bytes, little endian: the end of the file

Whoever maps the file trusts it, so all that TensorFlow's loader checks is checked here, and what it leaves out too:
that regions lie inside of the file, do not overlap, and are large enough for the constants that use them.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from pbslim.dtypes import DType, Shape
from pbslim.errors import DecodeError
from pbslim.ir import Attributes, AttrValue, Encoded, Graph, MappedTensor, Node, Tensor
from pbslim.wire.attributes import EncodedAttr
from pbslim.wire.mapping import File, MappedFile, Source, Window
from pbslim.wire.nodes import Part, span
from pbslim.wire.read import GraphOrigin, read_graph
from pbslim.wire.tensors import ListedTensor, is_possible, raw_content
from pbslim.wire.varint import LEN, VARINT, fields, length_delimited, read_varint, tag, varint
from pbslim.wire.write import graph_parts, replacing, write_parts

PREFIX = "memmapped_package://"
"""How the name of each region starts."""
GRAPH_REGION = PREFIX + "."
ALIGNMENT = 64
"""Where tensors may start: the alignment of TensorFlow's memory."""
LISTED = "_pbslim_listed"
"""Attribute of an ImmutableConst of which the elements stood in a typed list in the graph: how many of them.

Runtimes ignore attributes that start with an underscore.
"""

_ELEMENT, _OFFSET, _NAME, _LENGTH = 1, 1, 2, 3
_TRAILER = 8
_OTHER_BYTES = re.compile(rb"[^A-Za-z0-9_.]")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.]*")
_TAIL = 4096
_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Region:
    """A part of a package: `length` bytes from `offset` on."""

    name: str
    offset: int
    length: int

    @property
    def end(self) -> int:
        """Where the next region may start."""
        return self.offset + self.length


@dataclass(frozen=True, slots=True)
class MappedConstant:
    """A constant of the graph that lies in a region."""

    node: str
    region: str
    dtype: DType
    shape: tuple[int, ...]

    @property
    def nbytes(self) -> int:
        """Bytes that its elements take."""
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass
class Package:
    """What the directory of a package says, and who uses its regions.

    Attributes:
        directory_offset: where the directory starts.
        regions: in the order in which they lie in the file; one is the graph's.
        has_lengths: whether the directory says how long regions are. TensorFlow writes that since 1.15; in older files
            a region reaches up to the next.
        constants: the constants that lie in regions, in the order of the graph.
        remarks: what is unusual about the file, though runtimes accept it.
    """

    directory_offset: int
    regions: list[Region]
    has_lengths: bool = True
    constants: list[MappedConstant] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def graph(self) -> Region:
        """The region of the graph."""
        return next(region for region in self.regions if region.name == GRAPH_REGION)


@dataclass(frozen=True)
class PackageOrigin(GraphOrigin):
    """Where a graph came from, if that is a package: its nodes are never the bytes that stand there."""

    package: Package

    @property
    def is_whole(self) -> bool:
        """Never: the constants lie elsewhere."""
        return False


def package_of(graph: Graph) -> Package | None:
    """The package that `graph` was loaded from, if it was one."""
    return graph.origin.package if isinstance(graph.origin, PackageOrigin) else None


# Reading


def is_package(view: memoryview) -> bool:
    """Whether these bytes end with the place of a directory, and there the directory of a package begins."""
    start = directory_offset(view)
    if start is None:
        return False
    try:
        _, kind, at, stop = next(fields(view, start, len(view) - _TRAILER, "the directory"))
        return kind == LEN and _read_element(view, at, stop).name.startswith(PREFIX)
    except (DecodeError, StopIteration):
        return False


def was_package(view: memoryview) -> bool:
    """Whether these bytes, which are no graph, must once have been a package: their end mentions regions."""
    return PREFIX.encode() in bytes(view[-_TAIL:])


def directory_offset(view: memoryview) -> int | None:
    """What the last eight bytes say, None where it is no place in the file."""
    offset = int.from_bytes(view[-_TRAILER:], "little")
    return offset if len(view) > _TRAILER and offset <= len(view) - _TRAILER else None


def read_directory(source: Source) -> Package:
    """The directory of a package.

    Raises:
        DecodeError: a runtime would refuse it, or read outside of the regions.
    """
    view = source.view
    if len(view) <= _TRAILER:
        raise DecodeError(f"it has {len(view)} bytes, not even room for the directory's offset")
    start = directory_offset(view)
    if start is None:
        offset = int.from_bytes(view[-_TRAILER:], "little")
        raise DecodeError(f"its last 8 bytes say that the directory starts at byte {offset} of {len(view)}")
    package = Package(start, [])
    for number, kind, at, stop in fields(view, start, len(view) - _TRAILER, "the directory"):
        if number == _ELEMENT and kind == LEN:
            region = _read_element(view, at, stop)
            _require_next(package, region)
            package.regions.append(region)
        else:
            package.remarks[:] = ["the directory has fields that are not known here"]
    _check_regions(package, view)
    return package


def _read_element(view: memoryview, start: int, end: int) -> Region:
    name, offset, length = "", 0, 0
    for number, kind, at, stop in fields(view, start, end, "a directory entry"):
        if number == _NAME and kind == LEN:
            try:
                name = str(view[at:stop], "utf-8")
            except UnicodeDecodeError:
                raise DecodeError(f"the name of a region at byte {at} is not UTF-8 text") from None
        elif number == _OFFSET and kind == VARINT:
            offset = read_varint(view, at, stop)[0]
        elif number == _LENGTH and kind == VARINT:
            length = read_varint(view, at, stop)[0]
    return Region(name, offset, length)


def _require_next(package: Package, region: Region) -> None:
    """The rules of TensorFlow's loader, which looks at no more than this."""
    if not region.name.startswith(PREFIX):
        raise DecodeError(f"the name of region '{region.name[:60]}' does not start with {PREFIX}")
    if package.regions and region.offset <= package.regions[-1].offset:
        raise DecodeError(f"region '{region.name}' at byte {region.offset} does not come after the one before it")
    if region.offset >= package.directory_offset:
        raise DecodeError(
            f"region '{region.name}' at byte {region.offset} is not before the directory at byte "
            f"{package.directory_offset}"
        )


def _check_regions(package: Package, view: memoryview) -> None:
    """What the loader leaves out: where regions end, and what lies between them."""
    regions, remarks = package.regions, package.remarks
    if not any(region.name == GRAPH_REGION for region in regions):
        raise DecodeError(f"it has no graph (a region called {GRAPH_REGION})")
    limits = [*(region.offset for region in regions[1:]), package.directory_offset]
    package.has_lengths = any(region.length for region in regions)
    if not package.has_lengths:
        remarks.append(
            "the directory has no lengths (an old file, newer runtimes need them): a region ends at the next"
        )
        regions[:] = [Region(r.name, r.offset, limit - r.offset) for r, limit in zip(regions, limits, strict=True)]
    seen: set[str] = set()
    for region, limit in zip(regions, limits, strict=True):
        if region.name in seen:
            raise DecodeError(f"two regions are called '{region.name}'")
        seen.add(region.name)
        if region.end > limit:
            raise DecodeError(f"region '{region.name}' reaches to byte {region.end}, what follows starts at {limit}")
    if package.graph.length == 0:
        raise DecodeError("its graph region is empty")
    starts = [0, *(region.end for region in regions)]
    gaps = [(at, stop) for at, stop in zip(starts, [regions[0].offset, *limits], strict=True) if stop > at]
    strange = [f"byte {at}" for at, stop in gaps if stop - at >= ALIGNMENT or any(view[at:stop])]
    remarks += _remark("something between the regions that is no padding", strange)
    odd = [region.name for region in regions if not _PLAIN_NAME.fullmatch(region.name, len(PREFIX))]
    remarks += _remark("regions with names as TensorFlow does not write them", odd)


def _remark(what: str, places: list[str]) -> list[str]:
    """`what`, and a few of the places where it was seen; nothing if there are none."""
    shown = ", ".join(places[:_SHOWN]) + (f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else "")
    return [f"{what}: {shown}"] if places else []


def read_package(source: File) -> Graph:
    """The graph of a package as an ordinary one: each constant in a region is a Const, its elements stay there.

    Raises:
        DecodeError: the package is broken.
        GraphError: its graph is.
    """
    graph, package, users = _read(source)
    regions = {region.name: region for region in package.regions}
    for node, constant in users:
        _become_const(node, source, regions[constant.region], constant)
    graph.journal.clear()
    origin = graph.origin
    assert isinstance(origin, GraphOrigin)  # noqa: S101 - just read
    graph.origin = PackageOrigin(origin.source, origin.rest, origin.producer, package)
    return graph


def _read(source: File) -> tuple[Graph, Package, list[tuple[Node, MappedConstant]]]:
    """The graph as it stands in the package, the package, and the nodes that read regions."""
    package = read_directory(source)
    graph = read_graph(Window(source, package.graph.offset, package.graph.end))
    if not len(graph):
        raise DecodeError("its graph has no nodes")
    regions = {region.name: region for region in package.regions}
    bodies = [f.body().graph for f in graph.library.functions.values() if "ImmutableConst" in f.ops]
    users = [
        (node, _checked(part.scope + node.name, node, regions))
        for part in (graph, *bodies)
        for node in part
        if node.op == "ImmutableConst"
    ]
    package.constants = [constant for _, constant in users]
    needed = dict.fromkeys(regions, 0) | {GRAPH_REGION: package.graph.length}
    for constant in package.constants:
        needed[constant.region] = max(needed[constant.region], constant.nbytes)
    package.remarks += _remark("regions that no node uses", [name for name, size in needed.items() if not size])
    too_long = [name for name, size in needed.items() if 0 < size < regions[name].length]
    if package.has_lengths:
        package.remarks += _remark("regions that are longer than their constants", too_long)
    return graph, package, users


def _checked(label: str, node: Node, regions: dict[str, Region]) -> MappedConstant:
    """What `node`, called `label` in messages, takes from its region, if a runtime can map that."""
    name, dtype, shape = node.attrs.get("memory_region_name"), node.dtype_attr("dtype"), node.shape_attr("shape")
    if not isinstance(name, bytes):
        raise DecodeError(f"node '{label}' (ImmutableConst) does not name its region")
    text = name.decode(errors="replace")
    region = regions.get(text)
    if region is None or region.name == GRAPH_REGION or region.name.encode() != name:
        raise DecodeError(f"node '{label}' wants '{text}', which is no region of the package")
    if dtype is None or shape.dims is None or not is_possible(shape.dims):
        raise DecodeError(f"node '{label}' (ImmutableConst) has no type or no shape that a constant can have")
    if not dtype.itemsize or dtype.is_ref:
        raise DecodeError(f"node '{label}' (ImmutableConst) is of type {dtype}, which cannot be mapped")
    others = [key for key in node.attrs if not key.startswith("_") and key not in _IMMUTABLE_ATTRS]
    if others or node.inputs:
        what = f"an attribute '{others[0]}'" if others else "inputs"
        raise DecodeError(f"node '{label}' (ImmutableConst) has {what}, which runtimes refuse")
    if region.offset % ALIGNMENT:
        raise DecodeError(
            f"region '{region.name}' of node '{label}' starts at byte {region.offset}, no multiple of {ALIGNMENT}"
        )
    constant = MappedConstant(label, region.name, dtype, shape.dims)
    if region.length < constant.nbytes:
        needed = f"node '{label}' ({dtype} {shape}) needs {constant.nbytes}"
        raise DecodeError(f"region '{region.name}' has {region.length} bytes, {needed}")
    return constant


_IMMUTABLE_ATTRS = ("dtype", "shape", "memory_region_name")


def _become_const(node: Node, source: Source, region: Region, constant: MappedConstant) -> None:
    tensor: Tensor = MappedTensor(source, region.offset, constant.dtype, constant.shape)
    listed = node.attrs.get(LISTED)
    if type(listed) is int and 0 <= listed <= tensor.size:
        tensor = ListedTensor(source, region.offset, constant.dtype, constant.shape, listed)
    kept = {key: value for key, value in node.attrs.stored().items() if key.startswith("_") and key != LISTED}
    attrs = Attributes({**kept, "dtype": constant.dtype, "value": tensor})
    node.become("Const", node.inputs, attrs, controls=node.controls, device=node.device)


# Writing


class RegionNames:
    """Gives each region a name of its own, made from a node's as TensorFlow does it."""

    def __init__(self) -> None:
        self._taken = {GRAPH_REGION}

    def new(self, node: str) -> str:
        """A name for the region of `node`."""
        name = PREFIX + _OTHER_BYTES.sub(b"_", node.encode()).decode()
        while name in self._taken:
            name += "_"
        self._taken.add(name)
        return name


def kept_attributes(node: Node, tensor: Tensor) -> dict[str, AttrValue | Encoded] | None:
    """What else the Const `node` says than the type, shape and elements of `tensor`, as an ImmutableConst can say it.

    Returns:
        None if it says something for which there is no place.
    """
    stored = node.attrs.stored()
    kept = {key: value for key, value in stored.items() if key.startswith("_")}
    value = stored["value"]
    if LISTED in kept or len(stored) != len(kept) + 2 or node.dtype_attr("dtype") != tensor.dtype:
        return None
    if isinstance(value, EncodedAttr):
        if not value.is_plain(tensor):
            return None
        listed = value.count_listed(tensor)
    elif isinstance(value, ListedTensor):
        listed = value.count
    else:
        values = value.head() if isinstance(value, Tensor) else None
        listed = None if values is None else values.size
    if listed is None:
        return kept
    return kept | {LISTED: listed} if listed <= tensor.size else None


def immutable_attributes(constant: MappedConstant, kept: Mapping[str, AttrValue | Encoded] | None = None) -> Attributes:
    """The attributes of the ImmutableConst that is `constant` for a runtime; `kept` are others to carry along."""
    return Attributes(
        {
            **(kept or {}),
            "dtype": constant.dtype,
            "shape": Shape(constant.shape),
            "memory_region_name": constant.region.encode(),
        }
    )


def become_immutable(node: Node, constant: MappedConstant, kept: Mapping[str, AttrValue | Encoded]) -> None:
    """Let the Const `node` read its value from a region; `kept` are attributes to carry along."""
    attrs = immutable_attributes(constant, kept)
    node.become("ImmutableConst", node.inputs, attrs, controls=node.controls, device=node.device)


def save_package(
    graph: Graph,
    tensors: Iterable[tuple[str, Tensor]],
    path: Path,
    progress: Callable[[int], None] | None = None,
) -> Package:
    """Write `graph` and the tensors that it reads from regions to `path`; elements are streamed.

    Args:
        tensors: region name and elements of each, in the order of the file.

    Raises:
        PbslimError: the file cannot be written.
    """
    with replacing(path) as out:
        regions = list(_write_tensors(tensors, out, progress))
        at = regions[-1].end if regions else 0
        length = write_parts(graph_parts(graph), out, progress)
        regions.append(Region(GRAPH_REGION, at, length))
        package = Package(at + length, regions)
        directory = b"".join(length_delimited(_ELEMENT, _element(region)) for region in regions)
        out.write(directory + package.directory_offset.to_bytes(_TRAILER, "little"))
    return package


def _write_tensors(
    tensors: Iterable[tuple[str, Tensor]], out: BinaryIO, progress: Callable[[int], None] | None
) -> Iterator[Region]:
    at = 0
    for name, tensor in tensors:
        padding = -at % ALIGNMENT
        parts: list[Part] = [bytes(padding), raw_content(tensor)]
        yield Region(name, at + padding, tensor.nbytes)
        at += write_parts(iter(parts), out, progress)


def _element(region: Region) -> bytes:
    encoded = tag(_OFFSET, VARINT) + varint(region.offset) if region.offset else b""
    return encoded + length_delimited(_NAME, region.name.encode()) + tag(_LENGTH, VARINT) + varint(region.length)


def lay_out(path: Path, folder: Path) -> Path:
    """Put the regions of the package at `path` into files of their own, which any runtime can map, and give the graph.

    In the graph, each ImmutableConst names the file of its region.

    Raises:
        DecodeError: the package is broken.
        PbslimError: the files cannot be written.
    """
    source = MappedFile(path)
    graph, package, users = _read(source)
    regions = {region.name: region for region in package.regions}
    files: dict[str, Path] = {}
    for node, constant in users:
        region = regions[constant.region]
        if region.name not in files:
            files[region.name] = folder / f"region_{len(files)}"
            with replacing(files[region.name]) as out:
                write_parts(iter([span(source, region.offset, region.end)]), out)
        node.set_attr("memory_region_name", str(files[region.name]).encode())
    target = folder / "graph.pb"
    with replacing(target) as out:
        write_parts(graph_parts(graph), out)
    return target
