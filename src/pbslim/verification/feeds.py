"""Inputs to try a graph with, when none are given: photographs where it takes images, else seeded values that fit."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim import ops
from pbslim.analysis.endpoints import require
from pbslim.analysis.static_shapes import StaticShapes
from pbslim.dtypes import BOOL, FLOAT, STRING, DType, Shape
from pbslim.engines import engine
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph, Node, Value
from pbslim.names import node_name
from pbslim.verification import beginnings, images, photographs
from pbslim.verification.batches import Batch, Made
from pbslim.verification.drawings import drawing
from pbslim.verification.portraits import portrait
from pbslim.verification.signals import events, is_signal, smooth_noise
from pbslim.verification.texts import text

Array = npt.NDArray[Any]

Pictures = npt.NDArray[np.uint8] | Sequence[npt.NDArray[np.uint8]]
Pixels = tuple[float, float]
"""The range of pixel values."""

PHOTOGRAPHS, SIGNALS, INDICES, VALUES = "photographs", "generated signals", "generated indices", "generated values"
"""What inputs are."""

DEFAULT_SAMPLES = 16
_BATCH, _BATCH_BYTES = 4, 2_000_000
_IMAGE_SIDE, _LENGTH = 256, 64
_LOWEST, _BEYOND = 0, 10
_GRAY_TURNS, _COLOR_TURNS = 2, 8


@dataclass(frozen=True)
class Samples:
    """Inputs for several runs.

    Attributes:
        batches: for each run the values of all inputs by name; those that are generated are made by each look.
        origin: what they are, in a few words.
        notes: what had to be guessed.
    """

    batches: Sequence[Batch]
    origin: str
    notes: list[str] = field(default_factory=list)


def generate_samples(
    graph: Graph,
    inputs: Sequence[str],
    *,
    samples: int = DEFAULT_SAMPLES,
    seed: int = 0,
    pictures: Callable[[], Pictures] = photographs.tests,
    pixels: Pixels | None = None,
    varied: bool = False,
    made_up: bool = True,
    batch: int | None = None,
) -> Samples:
    """Values that fit the type, shape and range of each input, the same for the same seed.

    Unknown dimensions and ranks are guessed from what reads them. Images are photographs, the first ones as they are,
    then parts of them. A scalar that is called like a share to keep is 1, a flag is false.

    Args:
        samples: how many to make; full batches where an input has a fixed batch size.
        pictures: the photographs, RGB [h, w, 3] each.
        pixels: the range of pixel values that the graph takes; found from the graph when not given.
        varied: signals of two kinds by turns, of which only the first is made otherwise; every eighth picture in colors
            is a portrait.
        made_up: every second gray picture is a drawing.
        batch: most samples of a batch; 4 when not given, fewer of large inputs, to which many times the memory goes.

    Raises:
        UsageError: the type of an input is not known.
    """
    shapes = StaticShapes(graph)
    plans = [_plan(graph, name, shapes, pixels, drawn=made_up, painted=made_up and varied) for name in inputs]
    fixed = [plan.dims[0] for plan in plans if plan.dims and plan.dims[0] >= 0]
    free = (batch or _fitting(plans)) if any(plan.dims for plan in plans) else 1
    size = max(min(fixed, default=free), 1)

    def make(first: int) -> Batch:
        count = size if fixed else min(size, samples - first)
        return {plan.name: plan.values(first, count, seed, pictures, varied=varied) for plan in plans}

    differ = any(plan.dims or plan.random for plan in plans)
    batches = Made(make, range(0, max(samples, 1) if differ else 1, size))
    kinds = dict.fromkeys(plan.what for plan in plans if plan.dims or plan.random)
    return Samples(batches, " and ".join(kinds) or "no inputs", [note for plan in plans for note in plan.notes])


def generate_feeds(graph: Graph, inputs: Sequence[str], seed: int = 0) -> dict[str, Array]:
    """The first batch of `generate_samples`."""
    return generate_samples(graph, inputs, samples=_BATCH, seed=seed, batch=_BATCH).batches[0]


def _fitting(plans: Sequence[_Plan]) -> int:
    """How many samples make a batch that is not large."""
    count = _BATCH
    while count > 1 and count * sum(plan.nbytes for plan in plans) > _BATCH_BYTES:
        count //= 2
    return count


def as_pixels(graph: Graph, name: str, values: Array, pixels: Pixels | None = None) -> tuple[Array, list[str]]:
    """Bytes as the pixel values that an input of floats takes, and what had to be guessed; unchanged for others."""
    plan = _plan(graph, name, StaticShapes(graph), pixels)
    if not plan.image or not plan.dtype.is_floating:
        return values, []
    low, high = plan.pixels
    scaled = low + values.astype(np.float64) * ((high - low) / 255)
    return scaled.astype(plan.dtype.numpy), [note for note in plan.notes if "pixels" in note]


def fixed_batch(graph: Graph, name: str) -> int | None:
    """The batch size that an input demands, None where any will do."""
    dims = StaticShapes(graph).of(_value(graph, name)).dims if node_name(name) in graph else None
    return dims[0] if dims and dims[0] > 0 else None


_Maker = Callable[[np.random.Generator, tuple[int, ...]], Array]


@dataclass
class _Plan:
    """How to make values for one input.

    Attributes:
        dims: its shape, -1 for a batch size that is not fixed.
        one: makes one sample of a shape from a seeded generator.
        other: makes one of another kind.
        turns: one in so many pictures is made up, if it is not 0.
        random: whether values differ although there is no batch.
    """

    name: str
    dtype: DType
    dims: tuple[int, ...]
    what: str = VALUES
    image: bool = False
    turns: int = 0
    channels_first: bool = False
    pixels: Pixels = (0.0, 1.0)
    one: _Maker | None = None
    other: _Maker | None = None
    random: bool = False
    encoded: bool = False
    notes: list[str] = field(default_factory=list)

    @property
    def nbytes(self) -> int:
        """About what a sample takes."""
        return math.prod(self.dims[1:]) * (self.dtype.itemsize or 1)

    def values(
        self, first: int, count: int, seed: int, pictures: Callable[[], Pictures], *, varied: bool = False
    ) -> Array:
        """So many samples from number `first` on, or as many as the shape says, stacked."""
        numbers = range(first, first + (self.dims[0] if self.dims and self.dims[0] >= 0 else count))
        if self.image or self.encoded:
            made = [self._picture(number, seed, pictures()) for number in numbers]
        else:
            inner = self.dims[1:] if self.dims else ()
            sources = [np.random.default_rng([seed, number, *self.name.encode()]) for number in numbers]
            makers = [self.other if varied and self.other and number % 2 else self.one for number in numbers]
            made = [
                make(source, inner) if make else np.zeros(inner) for make, source in zip(makers, sources, strict=True)
            ]
        kind = np.dtype(object) if self.dtype is STRING else self.dtype.numpy
        stacked = np.empty((len(made), *(np.shape(made[0]) if made else self.dims[1:])), kind)
        for place, each in enumerate(made):
            stacked[place] = each
        return stacked if self.dims else stacked[:1].reshape(stacked.shape[1:])

    def _picture(self, number: int, seed: int, pictures: Pictures) -> Any:
        random = np.random.default_rng([seed, number])
        if self.turns and (number + 1) % self.turns == 0:
            return self._scaled(self._made_up(random))
        place = number - (number // self.turns if self.turns else 0)
        picture = pictures[place % len(pictures)]
        if seed or place >= len(pictures):
            picture = images.variant(picture, random)
        return images.png(picture) if self.encoded else self._scaled(images.fit(picture, *self.layout))

    def _made_up(self, random: np.random.Generator) -> Array:
        """What photographs have little of: lines where pictures are gray, else a face."""
        height, width, channels = self.layout
        if channels == 1:
            return drawing(random, height, width)[..., None]
        return images.fit(portrait(random), height, width, channels)

    def _scaled(self, picture: Array) -> Array:
        """A picture [h, w, channels] of 0 to 255 in the range and the order of the input."""
        low, high = self.pixels
        values = low + picture * ((high - low) / 255)
        if not self.dtype.is_floating:
            values = np.rint(values)
        return values.transpose(2, 0, 1) if self.channels_first else values

    @property
    def layout(self) -> tuple[int, int, int]:
        """Height, width and channels of a picture."""
        first, second, third = self.dims[1:]
        return (second, third, first) if self.channels_first else (first, second, third)


def _plan(
    graph: Graph,
    name: str,
    shapes: StaticShapes,
    pixels: Pixels | None,
    *,
    drawn: bool = False,
    painted: bool = False,
) -> _Plan:
    value = _value(graph, name)
    dtype = _dtype(value)
    plan = _Plan(name, dtype, ())
    shape = shapes.of(value)
    if shape.dims is None or (shape.rank == 0 and beginnings.first_filter(value)):
        shape = _guessed_rank(value)
        plan.notes.append(f"input '{name}' has no known rank, {shape} is tried")
    plan.dims = _guessed_dims(value, shape, plan)
    if dtype is STRING:
        _plan_strings(plan, value)
    elif dtype is BOOL:
        plan.one = lambda _, dims: np.zeros(dims, np.bool_)
    elif plan.image:
        plan.pixels = pixels or _image_range(graph, value, plan)
        plan.what = PHOTOGRAPHS
        if plan.layout[2] == 1 and drawn:
            plan.turns, plan.what = _GRAY_TURNS, f"{PHOTOGRAPHS} and drawings"
        elif plan.layout[2] != 1 and painted:
            plan.turns, plan.what = _COLOR_TURNS, f"{PHOTOGRAPHS} and portraits"
    elif dtype.is_floating and not plan.dims:
        plan.one = _scalar(name)
    else:
        _plan_numbers(plan, value)
    return plan


def _value(graph: Graph, name: str) -> Value:
    port = name.partition(":")[2]
    return require(graph, name).output(int(port) if port.isdigit() else 0)


def _dtype(value: Value) -> DType:
    node = value.node
    dtype = node.dtype_attr("dtype") if node.op.startswith("Placeholder") else None
    if dtype is None:
        dtype = ops.output_dtype(node.op, node.attrs, value.port)
    if dtype is None or (dtype is not STRING and dtype.scalar is None):
        raise UsageError(f"input '{node.name}' has no known type; give its value with --feeds")
    return dtype.base


def _guessed_rank(value: Value) -> Shape:
    found = beginnings.first_filter(value)
    if found:
        node, weights = found
        channels = beginnings.channels_of(node, weights)
        if "MatMul" in node.op:
            return Shape((-1, channels))
        inner = [-1] * (len(weights.shape) - 2)
        return Shape((-1, channels, *inner) if _is_channels_first(node) else (-1, *inner, channels))
    if beginnings.table_size(value) is not None or beginnings.lookup_keys(value) is not None:
        return Shape((-1,))
    return Shape(())


def _is_channels_first(node: Node) -> bool:
    return node.attr("data_format", bytes) in (b"NCHW", b"NCDHW")


def _guessed_dims(value: Value, shape: Shape, plan: _Plan) -> tuple[int, ...]:
    dims = list(shape.dims or ())
    found = beginnings.first_filter(value)
    if len(dims) == 4:
        plan.channels_first = bool(found and _is_channels_first(found[0])) or (
            dims[1] in (1, 3) and dims[3] not in images.CHANNELS
        )
        axis = 1 if plan.channels_first else 3
        if dims[axis] < 0 and found and "Conv" in found[0].op:
            dims[axis] = beginnings.channels_of(*found)
        sides = [d for i, d in enumerate(dims) if i not in (0, axis)]
        large = all(d < 0 or d >= images.SMALLEST_SIDE for d in sides)
        plan.image = large and (dims[axis] in images.CHANNELS or dims[axis] < 0)
        if plan.image and dims[axis] < 0:
            dims[axis] = 3
    elif len(dims) == 2 and dims[1] < 0 and found and "MatMul" in found[0].op:
        dims[1] = beginnings.channels_of(*found)
    unknown = _IMAGE_SIDE if plan.image else _LENGTH
    guessed = [d if d >= 0 or i == 0 else unknown for i, d in enumerate(dims)]
    if tuple(guessed[1:]) != tuple((shape.dims or ())[1:]):
        plan.notes.append(f"input '{plan.name}' has shape {shape}, {Shape(tuple(guessed))} is tried")
    return tuple(guessed)


def _plan_strings(plan: _Plan, value: Value) -> None:
    keys = beginnings.lookup_keys(value)
    decoder = beginnings.decoder(value)
    plan.random = True
    if decoder is not None and decoder.op in ("DecodeJpeg", "DecodePng", "DecodeImage", "DecodeAndCropJpeg"):
        plan.encoded, plan.what = True, PHOTOGRAPHS
    else:
        known = None if keys is None else keys.tolist()

        def texts(random: np.random.Generator, dims: tuple[int, ...]) -> Array:
            made = np.empty(math.prod(dims), object)
            made[:] = [known[random.integers(len(known))] if known else text(random) for _ in range(made.size)]
            return made.reshape(dims) if dims else made[0]

        plan.one = texts


def _scalar(name: str) -> Callable[[np.random.Generator, tuple[int, ...]], Array]:
    """A share to keep is 1 and one to drop 0, so that nothing is dropped; any other single number is 1."""
    last = node_name(name).rpartition("/")[2].lower()
    drops = ("rate" in last or "drop" in last) and "keep" not in last
    number = 0.0 if drops and "learning" not in last else 1.0
    return lambda _, dims: np.full(dims, number)


def _plan_numbers(plan: _Plan, value: Value) -> None:
    rows = beginnings.table_size(value)
    keys = beginnings.lookup_keys(value) if rows is None else None
    if rows is not None:
        plan.one = lambda random, dims: random.integers(0, max(rows, 1), dims)
        plan.what = INDICES
        plan.notes.append(f"input '{plan.name}' is an index below {rows}")
    elif keys is not None:
        found = keys
        plan.one = lambda random, dims: found[random.integers(0, found.size, dims)]
    elif plan.dtype.is_floating or plan.dtype.name.startswith("complex"):
        mean, deviation = beginnings.statistics(value) or (0.0, 1.0)
        plan.one = lambda random, dims: mean + deviation * smooth_noise(random, dims)
        if is_signal(plan.dims[1:]):
            plan.what = SIGNALS
            plan.other = lambda random, dims: mean + deviation * events(random, dims)
    else:
        plan.one = lambda random, dims: random.integers(_LOWEST, _BEYOND, dims)
    plan.random = True


def _image_range(graph: Graph, value: Value, plan: _Plan) -> tuple[float, float]:
    """The range of pixel values, from the type, from the arithmetic that comes first, or by trying."""
    if plan.dtype is not FLOAT and not plan.dtype.is_floating:
        return (0.0, 255.0)
    scaled = beginnings.scaling(value)
    found = beginnings.range_for(scaled) if scaled else None
    how = "by the arithmetic that comes first"
    if found is None:
        found, how = _tried_range(graph, value, plan), "which suits its first layer best"
    if found is None:
        found, how = (0.0, 1.0), "as nothing in the graph says otherwise"
    plan.notes.append(f"input '{plan.name}' takes pixels from {found[0]:g} to {found[1]:g}, {how}")
    return found


def _tried_range(graph: Graph, value: Value, plan: _Plan) -> tuple[float, float] | None:
    """The range for which the values before the first activation are nearest to zero mean and unit variance.

    Networks are trained, by their batch norms or from their first weights on, to have such values.
    """
    target = beginnings.first_activation(value)
    if target is None:
        return None
    best, least, size = None, math.inf, max(plan.dims[0], 1)
    try:
        with engine("builtin").load(graph) as program:
            for plan.pixels in beginnings.RANGES:
                found = []
                for first in (0, size):
                    fed = plan.values(first, size, 0, photographs.tests)
                    found += program.run({value.name: fed}, [target.name])
                score = _strangeness(np.concatenate(found), channels_last=not plan.channels_first)
                if score < least:
                    best, least = plan.pixels, score
    except PbslimError:
        return None  # the engine cannot run it, or it needs other inputs
    return best


def _strangeness(values: Array, *, channels_last: bool) -> float:
    axes = tuple(i for i in range(values.ndim) if i != (values.ndim - 1 if channels_last else 1))
    deviation, mean = values.std(axes), values.mean(axes)
    alive = deviation > 1e-4
    return float((np.log(deviation[alive]) ** 2 + mean[alive] ** 2).mean()) if alive.any() else math.inf
