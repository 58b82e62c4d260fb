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
from dataclasses import dataclass, field

from pbslim.dtypes import DType
from pbslim.errors import DecodeError
from pbslim.wire.sources import Source
from pbslim.wire.varint import LEN, VARINT, fields, length_delimited, read_varint, tag, varint

PREFIX = "memmapped_package://"
"""How the name of each region starts."""
GRAPH_REGION = PREFIX + "."
ALIGNMENT = 64
"""Where tensors may start: the alignment of TensorFlow's memory."""
_ELEMENT, _OFFSET, _NAME, _LENGTH = 1, 1, 2, 3
_TRAILER = 8
_OTHER_BYTES = re.compile(rb"[^A-Za-z0-9_.]")
_PLAIN_NAME = re.compile(r"[A-Za-z0-9_.]*")
_TAIL = 1 << 26
_PIECE = 1 << 20
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
        size: bytes of the file.
        regions: in the order in which they lie in the file; one is the graph's.
        has_lengths: whether the directory says how long regions are. TensorFlow writes that since 1.15; in older files
            a region reaches up to the next.
        constants: the constants that lie in regions, in the order of the graph.
        remarks: what is unusual about the file, though runtimes accept it.
    """

    directory_offset: int
    size: int
    regions: list[Region]
    has_lengths: bool = True
    constants: list[MappedConstant] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)

    @property
    def graph(self) -> Region:
        """The region of the graph."""
        return next(region for region in self.regions if region.name == GRAPH_REGION)


def is_package(source: Source) -> bool:
    """Whether these bytes end with the place of a directory, and there the directory of a package begins."""
    start = directory_offset(source)
    if start is None:
        return False
    try:
        _, kind, at, stop = next(fields(source, start, len(source) - _TRAILER, "the directory"))
        return kind == LEN and _read_element(source, at, stop).name.startswith(PREFIX)
    except (DecodeError, StopIteration):
        return False


def was_package(source: Source) -> bool:
    """Whether these bytes, which are no graph, must once have been a package: the graph in their end names regions."""
    mark = PREFIX.encode()
    for stop in range(len(source), max(0, len(source) - _TAIL), -_PIECE):
        if mark in bytes(source[max(0, stop - _PIECE - len(mark)) : stop]):
            return True
    return False


def directory_offset(source: Source) -> int | None:
    """What the last eight bytes say, None where it is no place in the file."""
    offset = int.from_bytes(source[-_TRAILER:], "little")
    return offset if len(source) > _TRAILER and offset <= len(source) - _TRAILER else None


def read_directory(source: Source) -> Package:
    """The directory of a package.

    Raises:
        DecodeError: a runtime would refuse it, or read outside of the regions.
    """
    if len(source) <= _TRAILER:
        raise DecodeError(f"it has {len(source)} bytes, not even room for the directory's offset")
    start = directory_offset(source)
    if start is None:
        offset = int.from_bytes(source[-_TRAILER:], "little")
        raise DecodeError(f"its last 8 bytes say that the directory starts at byte {offset} of {len(source)}")
    package = Package(start, len(source), [])
    for number, kind, at, stop in fields(source, start, len(source) - _TRAILER, "the directory"):
        if number == _ELEMENT and kind == LEN:
            region = _read_element(source, at, stop)
            _require_next(package, region)
            package.regions.append(region)
        else:
            package.remarks[:] = ["the directory has fields that are not known here"]
    _check_regions(package, source)
    return package


def _read_element(source: Source, start: int, end: int) -> Region:
    name, offset, length = "", 0, 0
    for number, kind, at, stop in fields(source, start, end, "a directory entry"):
        if number == _NAME and kind == LEN:
            try:
                name = str(source[at:stop], "utf-8")
            except UnicodeDecodeError:
                raise DecodeError(f"the name of a region at byte {at} is not UTF-8 text") from None
        elif number == _OFFSET and kind == VARINT:
            offset = read_varint(source, at, stop)[0]
        elif number == _LENGTH and kind == VARINT:
            length = read_varint(source, at, stop)[0]
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


def _check_regions(package: Package, source: Source) -> None:
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
    strange = [f"byte {at}" for at, stop in gaps if stop - at >= ALIGNMENT or any(source[at:stop])]
    remarks += remark("something between the regions that is not padding", strange)
    odd = [region.name for region in regions if not _PLAIN_NAME.fullmatch(region.name, len(PREFIX))]
    remarks += remark("regions with names as TensorFlow does not write them", odd)


def remark(what: str, places: list[str]) -> list[str]:
    """`what`, and a few of the places where it was seen; nothing if there are none."""
    shown = ", ".join(places[:_SHOWN]) + (f" and {len(places) - _SHOWN} more" if len(places) > _SHOWN else "")
    return [f"{what}: {shown}"] if places else []


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


def encoded_directory(regions: list[Region], start: int) -> bytes:
    """The end of a package: the directory of `regions`, which starts at byte `start`, and its place."""
    entries = b"".join(length_delimited(_ELEMENT, _element(region)) for region in regions)
    return entries + start.to_bytes(_TRAILER, "little")


def _element(region: Region) -> bytes:
    encoded = tag(_OFFSET, VARINT) + varint(region.offset) if region.offset else b""
    return encoded + length_delimited(_NAME, region.name.encode()) + tag(_LENGTH, VARINT) + varint(region.length)
