"""What the inputs of each site are like: their means and second moments over some unlabelled samples."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence, Set
from dataclasses import dataclass
from functools import partial

import numpy as np

from pbslim.analysis.weight_sites import Site
from pbslim.compression.patches import sample_rows
from pbslim.cores import in_parallel
from pbslim.engines import Feeds, Program
from pbslim.ir import Node, Use
from pbslim.ir.tensors import Array
from pbslim.kept import Kept
from pbslim.quant.compensation import diagonal_blocks

_ROWS = 5000
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
    program: Program,
    sites: Sequence[Site],
    samples: Sequence[Feeds],
    on_sample: Callable[[], None] = lambda: None,
    *,
    means_only: bool = False,
    often: Set[Node] = frozenset(),
    ends: Sequence[str] = (),
) -> dict[str, Moments]:
    """Run `samples` and look at the inputs of `sites`; one whose inputs are never computed or not finite is left out.

    The rows are drawn at random, about 5,000 for each site over all samples, by a seed of its own: the same samples
    give the same moments.

    Args:
        often: nodes in loops, branches and functions, of which no run gives just one value. What they read is seen each
            time that they run, by an engine that can do so; with another, sites that only they read are left out.
        ends: what is fetched so that these nodes run, where they are needed.

    Raises:
        PbslimError: the graph fails on a sample.
    """
    collectors = {site.name: _collector(site, means_only) for site in sites if site.uses}
    count = -(-_ROWS // max(len(samples), 1))
    wanted: dict[tuple[str, Use], str] = {}
    readers: dict[Node, list[tuple[_Collector, Use]]] = {}
    for name, use in ((site.name, use) for site in sites for use in site.uses):
        if use.node in often:
            readers.setdefault(use.node, []).append((collectors[name], use))
        else:
            wanted[name, use] = use.node.inputs[0].name
    watched = {node: partial(_see, each, count) for node, each in readers.items()}
    observed = program.observed(watched) if watched else None
    fetches = list(dict.fromkeys([*wanted.values(), *(ends if observed else ())]))
    for sample in samples:
        found = dict(zip(fetches, (observed or program).run(sample, fetches), strict=True))
        for (name, use), tensor in wanted.items():
            collectors[name].add(use, found[tensor], count)
        on_sample()
    moments = {name: collector.moments() for name, collector in collectors.items()}
    return {name: each for name, each in moments.items() if each.rows and _is_finite(each)}


def _see(readers: Sequence[tuple[_Collector, Use]], count: int, values: Sequence[Array]) -> None:
    """Take rows of what a node reads, which may be overwritten afterwards."""
    for collector, use in readers:
        collector.add(use, values[0].copy(), count)


def _collector(site: Site, means_only: bool) -> _Collector:
    return _Depthwise(site) if site.kind == "depthwise" else _Dense(site, means_only)


class _Collector:
    """Adds up rows; those that are still few wait for more."""

    def __init__(self, site: Site) -> None:
        self.site, self.rows = site, 0
        self._random = np.random.default_rng(zlib.crc32(site.name.encode()))
        self._waiting: list[Array] = []

    def add(self, use: Use, inputs: Array, count: int) -> None:
        """Take `count` rows of what an op reads."""
        if self.site.kind == "dense":
            found = inputs.reshape(-1, inputs.shape[-1])
            if len(found) > count:
                found = found[self._random.choice(len(found), count, replace=False)]
        else:
            found = sample_rows(use.node, inputs, self.site.shape[:2], count, self._random)
            if found.shape[-1] != self.site.shape[2]:
                return  # each group of a grouped convolution has inputs of its own
        self._waiting.append(found)
        if sum(map(len, self._waiting)) >= _GATHERED or sum(rows.nbytes for rows in self._waiting) >= _HELD:
            self._flush()

    def moments(self) -> Moments:
        """What was seen."""
        self._flush()
        return self._moments()

    def _flush(self) -> None:
        if self._waiting:
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
