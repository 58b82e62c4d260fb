"""What the inputs of each site are like: their means and second moments over some unlabelled samples."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator, Sequence, Set
from dataclasses import dataclass
from functools import partial

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.compression.evaluation import Evaluator
from pbslim.compression.patches import sample_rows
from pbslim.compression.samples import checksum
from pbslim.cores import in_parallel
from pbslim.engines import Feeds, Program
from pbslim.ir import Node, Use
from pbslim.ir.tensors import Array
from pbslim.kept import Kept
from pbslim.quant.compensation import diagonal_blocks

_ROWS = 5000
_FEWER = 4  # times fewer where each channel has a small matrix of its own, for which they are plenty
_GATHERED = 1024  # rows for one matrix product: fewer cost more to add up than to multiply
_LARGE = 8 << 20  # bytes of a matrix that waits in a file until it is needed
_HELD = 2 << 20  # bytes of rows of one site that may wait for it


@dataclass(frozen=True)
class Moments:
    """The inputs of one site.

    Attributes:
        mean: [K]; for a depthwise convolution [C, K].
        second: H [K, K], or its diagonal blocks; for a depthwise convolution one [C, K, K]. The covariance where a
            bias repairs the mean, else ``X.T @ X / n``. Empty where only means were asked for; large ones
            are in a file.
        rows: how many samples it is made of.
    """

    mean: Array
    second: Sequence[Array]
    rows: int


def collect(
    evaluator: Evaluator,
    sites: Sequence[Site],
    samples: Sequence[Feeds],
    on_sample: Callable[[], None] = lambda: None,
    *,
    means_only: bool = False,
    often: Set[Node] = frozenset(),
    ends: Sequence[str] = (),
) -> dict[str, Moments]:
    """Run `samples` and look at the inputs of `sites`; one whose inputs are never computed or not finite is left out.

    The rows are drawn at random, about 5,000 for each site over all samples (1,250 for a depthwise convolution), by
    seeds of their own: the same samples give the same moments.

    Args:
        often: nodes in loops, branches and functions, of which no run gives just one value. What they read is seen each
            time that they run, by an engine that can do so; with another, sites that only they read are left out.
        ends: what is fetched so that these nodes run, where they are needed.

    Raises:
        PbslimError: the graph fails on a sample.
    """
    collectors = {site.name: _collector(site, means_only) for site in sites if site.uses}
    count = -(-_ROWS // max(len(samples), 1))
    pairs = [(site, use) for site in sites for use in site.uses]
    reads = [(site, use, use.node.inputs[0].name) for site, use in pairs if use.node not in often]
    readers: dict[Node, list[tuple[_Collector, Use]]] = {}
    for site, use in pairs:
        if use.node in often:
            readers.setdefault(use.node, []).append((collectors[site.name], use))
    watched = {node: partial(_see, each, count) for node, each in readers.items()}
    observed = evaluator.program.observed(watched) if watched else None
    look = _Look(list(dict.fromkeys([*(tensor for _, _, tensor in reads), *(ends if observed else ())])), reads, count)
    if observed:  # what is seen on the way comes in the order of the samples only if they run one after the other
        runs: Iterator[list[Array]] = (look(observed, sample, on_sample) for sample in samples)
    else:
        runs = evaluator.map(look, samples, on_sample)
    for found in runs:
        for (site, _, _), rows in zip(reads, found, strict=True):
            collectors[site.name].add(rows)
    moments = {name: collector.moments() for name, collector in collectors.items()}
    return {name: each for name, each in moments.items() if each.rows and _is_finite(each)}


@dataclass(frozen=True)
class _Look:
    """One sample: rows of what each op reads.

    Attributes:
        reads: sites, their uses, and the tensors that these read.
        count: the most rows of each.
    """

    fetches: Sequence[str]
    reads: Sequence[tuple[Site, Use, str]]
    count: int
    steps: int = 1

    def __call__(self, program: Program, sample: Feeds, on_step: Callable[[], None]) -> list[Array]:
        """Run it."""
        found = dict(zip(self.fetches, program.run(sample, self.fetches), strict=True))
        seed = checksum(sample)
        rows = [
            _rows(site, use, found[tensor], self.count, np.random.default_rng([seed, zlib.crc32(site.name.encode())]))
            for site, use, tensor in self.reads
        ]
        on_step()
        return rows


def _see(readers: Sequence[tuple[_Collector, Use]], count: int, values: Sequence[Array]) -> None:
    """Take rows of what a node reads, which may be overwritten afterwards."""
    for collector, use in readers:
        collector.add(_rows(collector.site, use, values[0].copy(), count, collector.random))


def _rows(site: Site, use: Use, inputs: Array, count: int, random: np.random.Generator) -> Array:
    """At most `count` of the rows that an op multiplies with a site, [rows, ...]."""
    if site.kind == "dense":
        found = inputs.reshape(-1, inputs.shape[-1])
        return found[random.choice(len(found), count, replace=False)] if len(found) > count else found
    count = -(-count // _FEWER) if site.kind == "depthwise" else count
    found = sample_rows(use.node, inputs, site.shape[:2], count, random)
    is_whole = found.shape[-1] == site.shape[2]  # each group of a grouped convolution has inputs of its own
    return found if is_whole else np.zeros((0, *site.shape[:3]), np.float32)


def _collector(site: Site, means_only: bool) -> _Collector:
    return _Depthwise(site) if site.kind == "depthwise" else _Dense(site, means_only)


class _Collector:
    """Adds up rows; those that are still few wait for more."""

    def __init__(self, site: Site) -> None:
        self.site, self.rows = site, 0
        self.random = np.random.default_rng(zlib.crc32(site.name.encode()))
        self._waiting: list[Array] = []

    def add(self, rows: Array) -> None:
        """Take note of rows that an op reads."""
        self._waiting.append(rows)
        if sum(map(len, self._waiting)) >= _GATHERED or sum(rows.nbytes for rows in self._waiting) >= _HELD:
            self._flush()

    def moments(self) -> Moments:
        """What was seen."""
        self._flush()
        return self._moments()

    def _flush(self) -> None:
        if any(map(len, self._waiting)):
            rows = np.concatenate(self._waiting)
            self._waiting = []
            self.rows += len(rows)
            self._add(rows)

    def _add(self, rows: Array) -> None:
        raise NotImplementedError

    def _moments(self) -> Moments:
        raise NotImplementedError


class _Dense(_Collector):
    def __init__(self, site: Site, means_only: bool) -> None:
        super().__init__(site)
        inputs = site.size // site.channels
        self._blocks = [] if means_only else diagonal_blocks(inputs)
        self._origin: Array | None = None  # near the mean, so that single precision is enough for what is around it
        self._sum = np.zeros(inputs)
        self._products = [np.zeros((part.stop - part.start,) * 2, np.float32) for part in self._blocks]

    def _add(self, rows: Array) -> None:
        flat = rows.reshape(len(rows), -1).astype(np.float32, copy=False)
        if self._origin is None:
            self._origin = flat.mean(axis=0)
        flat = flat - self._origin
        self._sum += flat.sum(axis=0, dtype=np.float64)

        def multiply(part: slice, product: Array) -> None:
            block = np.ascontiguousarray(flat[:, part])
            product += block.T @ block

        in_parallel(lambda block: multiply(*block), zip(self._blocks, self._products, strict=True))

    def _moments(self) -> Moments:
        around = self._sum / max(self.rows, 1)
        mean = around + (0 if self._origin is None else self._origin)
        second = Kept(_LARGE)
        for part in self._blocks:
            product = self._products.pop(0)
            product /= max(self.rows, 1)
            product -= np.outer(around[part], around[part])
            if not self.site.bias:
                product += np.outer(mean[part], mean[part])
            second.append(product)
        return Moments(mean, second, self.rows)


class _Depthwise(_Collector):
    def __init__(self, site: Site) -> None:
        super().__init__(site)
        height, width, channels, _ = site.shape
        self._sum = np.zeros((channels, height * width))
        self._products = np.zeros((channels, height * width, height * width))

    def _add(self, rows: Array) -> None:
        per_channel = rows.reshape(len(rows), -1, rows.shape[-1]).transpose(2, 1, 0)
        self._sum += per_channel.sum(axis=2, dtype=np.float64)
        self._products += per_channel @ per_channel.transpose(0, 2, 1)

    def _moments(self) -> Moments:
        mean = self._sum / max(self.rows, 1)
        second = self._products / max(self.rows, 1)
        if self.site.bias:
            second -= mean[:, :, None] * mean[:, None, :]
        return Moments(mean, [second], self.rows)


def _is_finite(moments: Moments) -> bool:
    return all(bool(np.isfinite(array).all()) for array in (moments.mean, *moments.second))
