"""Graphs in memory-mapped packages: constants whose elements are regions of the file, as ordinary ones and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from pbslim.dtypes import Shape
from pbslim.errors import DecodeError
from pbslim.ir import Attributes, AttrValue, Encoded, Graph, MappedTensor, Node, Tensor
from pbslim.wire.attributes import EncodedAttr
from pbslim.wire.outputs import replacing
from pbslim.wire.packages import (
    ALIGNMENT,
    GRAPH_REGION,
    MappedConstant,
    Package,
    Region,
    encoded_directory,
    read_directory,
    remark,
)
from pbslim.wire.parts import Part, span
from pbslim.wire.read import GraphOrigin, read_graph, sources_of
from pbslim.wire.sources import Source, open_source, part
from pbslim.wire.tensors import ListedTensor, is_possible, raw_content
from pbslim.wire.write import graph_parts, write_parts

LISTED = "_pbslim_listed"
"""Attribute of an ImmutableConst of which the elements stood in a typed list in the graph: how many of them.

Runtimes ignore attributes that start with an underscore.
"""


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


def read_package(source: Source) -> Graph:
    """The graph of a package as an ordinary one: each constant in a region is a Const, its elements stay there.

    Raises:
        DecodeError: the package is broken.
        GraphError: its graph is.
    """
    graph, package, users = _read(source)
    regions = {region.name: region for region in package.regions}
    for node, constant in users:
        _become_const(node, source, regions[constant.region], constant)
    graph.forget_changes()
    origin = graph.origin
    assert isinstance(origin, GraphOrigin)  # noqa: S101 - just read
    graph.origin = PackageOrigin(origin.source, origin.rest, origin.producer, package)
    return graph


def _read(source: Source) -> tuple[Graph, Package, list[tuple[Node, MappedConstant]]]:
    """The graph as it stands in the package, the package, and the nodes that read regions."""
    package = read_directory(source)
    graph = read_graph(part(source, package.graph.offset, package.graph.end))
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
    package.remarks += remark("regions that no node uses", [name for name, size in needed.items() if not size])
    too_long = [name for name, size in needed.items() if 0 < size < regions[name].length]
    if package.has_lengths:
        package.remarks += remark("regions that are longer than their constants", too_long)
    return graph, package, users


def _checked(label: str, node: Node, regions: dict[str, Region]) -> MappedConstant:
    """What `node`, called `label` in messages, takes from its region, if a runtime can map that."""
    name, dtype, shape = node.attrs.get("memory_region_name"), node.dtype_attr("dtype"), node.shape_attr("shape")
    if not isinstance(name, bytes):
        raise DecodeError(f"node '{label}' (ImmutableConst) does not name its region")
    text = name.decode(errors="replace")
    region = regions.get(text)
    if region is None or region.name == GRAPH_REGION or region.name.encode() != name:
        raise DecodeError(f"node '{label}' wants '{text}', which is not a region of the package")
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
            f"region '{region.name}' of node '{label}' starts at byte {region.offset}, not a multiple of {ALIGNMENT}"
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
    with replacing(path, *sources_of(graph)) as out:
        regions = list(_write_tensors(tensors, out, progress))
        at = regions[-1].end if regions else 0
        length = write_parts(graph_parts(graph), out, progress)
        regions.append(Region(GRAPH_REGION, at, length))
        directory = encoded_directory(regions, at + length)
        out.write(directory)
    return Package(at + length, at + length + len(directory), regions)


def _write_tensors(
    tensors: Iterable[tuple[str, Tensor]], out: BinaryIO, progress: Callable[[int], None] | None
) -> Iterator[Region]:
    at = 0
    for name, tensor in tensors:
        padding = -at % ALIGNMENT
        parts: list[Part] = [bytes(padding), raw_content(tensor)]
        yield Region(name, at + padding, tensor.nbytes)
        at += write_parts(iter(parts), out, progress)


def lay_out(path: Path, folder: Path) -> Path:
    """Put the regions of the package at `path` into files of their own, which any runtime can map, and give the graph.

    In the graph, each ImmutableConst names the file of its region.

    Raises:
        DecodeError: the package is broken.
        PbslimError: the files cannot be written.
    """
    source = open_source(path)
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
