"""Inputs that a user gives: arrays in an .npz or .npy file, or a folder of images."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from pbslim.engines.files import read_arrays
from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.names import node_name
from pbslim.verification.feeds import Pixels, Samples, as_pixels, fixed_batch, generate_samples

Array = npt.NDArray[Any]

LABELS = ("labels", "label", "y", "classes")
"""What an array of labels may be called."""

COMPARISON = "comparison"
"""What inputs are for, if they are not for something else."""

_MOST_AT_ONCE = 16  # samples in a batch, as memory grows with it
_SUFFIXES = {".bmp", ".gif", ".jpeg", ".jpg", ".png", ".tif", ".tiff", ".webp"}


def read_samples(
    path: Path, graph: Graph, inputs: Sequence[str], pixels: Pixels | None = None, purpose: str = COMPARISON
) -> Samples:
    """The inputs in a file of arrays or a folder of images, in batches that fit the graph.

    Args:
        pixels: the range that images are scaled to; found from the graph when not given.
        purpose: what they are for, as it is told when they are of no use.

    Raises:
        UsageError: the file cannot be read, an array is for no input, or has NaN or infinite values.
    """
    if path.is_dir():
        pictures = read_pictures(path)
        found = generate_samples(
            graph, inputs, samples=len(pictures), pictures=lambda: pictures, pixels=pixels, made_up=False
        )
        return replace(found, origin=f"the images in {path}")
    arrays = {name: array for name, array in read_arrays(path).items() if name not in LABELS or name in graph}
    require_finite(arrays, f"'{path}'", purpose)
    return replace(given_samples(arrays, graph, inputs, pixels), origin=str(path))


def read_labelled(
    path: Path, graph: Graph, inputs: Sequence[str], pixels: Pixels | None = None
) -> tuple[Samples, Array]:
    """The inputs and the labels in an .npz file.

    Raises:
        UsageError: the file cannot be read, has no labels, or an array is for no input or not finite.
    """
    arrays = read_arrays(path)
    labels = arrays.pop(_labels_in(arrays, path, graph))
    require_finite(arrays, f"'{path}'")
    return replace(given_samples(arrays, graph, inputs, pixels), origin=str(path)), labels


def _labels_in(arrays: Mapping[str, Array], path: Path, graph: Graph) -> str:
    """What the labels in a file are called, which are no input of the graph."""
    names = [name for name in LABELS if name in arrays and name not in graph]
    if not names:
        raise UsageError(f"'{path}' has no labels: it needs an array called '{LABELS[0]}'")
    return names[0]


def require_telling(path: Path, graph: Graph, *, varied: bool) -> None:
    """Make sure, before any work, that a file of inputs and labels can prove something.

    Args:
        varied: whether noise is to be measured against how far the outputs vary with the samples.

    Raises:
        UsageError: it cannot be read, has no labels, has NaN or infinite inputs, or its samples do not vary.
    """
    arrays = read_arrays(path)
    _labels_in(arrays, path, graph)
    labels = [arrays.pop(name) for name in LABELS if name in arrays]
    require_finite(arrays, f"'{path}'")
    count = len(labels[0]) if labels and labels[0].ndim else 0
    each = [array for array in arrays.values() if array.ndim and len(array) == count]
    if varied and each and count > 1:
        require_different([{str(i): array[at] for i, array in enumerate(each)} for at in range(count)], f"'{path}'")


def require_finite(arrays: Mapping[str, Array], where: str, purpose: str = COMPARISON) -> None:
    """Refuse inputs of which nothing can be learned: NaN in both graphs looks like equal results.

    Raises:
        UsageError: a float is NaN or infinite.
    """
    for name, array in arrays.items():
        if (array.dtype.kind in "fc" or array.dtype.name == "bfloat16") and not np.isfinite(array).all():
            named = f"'{name}' in {where}" if name else where
            raise UsageError(f"{named} has NaN or infinite values; a {purpose} needs finite numbers")


def require_different(samples: Sequence[Mapping[str, Array]], where: str, purpose: str = COMPARISON) -> None:
    """Refuse several samples that are all the same.

    Raises:
        UsageError: they are.
    """
    first = samples[0]
    if all(np.array_equal(array, first[name]) for each in samples[1:] for name, array in each.items()):
        raise UsageError(f"all samples in {where} are the same; a {purpose} needs different ones")


def given_samples(
    arrays: Mapping[str, Array], graph: Graph, inputs: Sequence[str], pixels: Pixels | None = None
) -> Samples:
    """Arrays by input name as samples; large ones are split into batches.

    An array of another name is for the only input there is. Bytes for an input of floats are pixels and scaled. What
    is missing and has no dimensions, as a share to keep in dropout, is generated.

    Raises:
        UsageError: an array is for no input.
    """
    named = dict(arrays)
    many = [name for name in inputs if name not in arrays and f"{name}:0" not in arrays]
    strange = [name for name in arrays if node_name(name) not in graph]
    if len(strange) == 1 and many:
        tensors = [name for name in many if not _is_scalar(graph, name)]
        if len(tensors) == 1:
            named[tensors[0]] = named.pop(strange[0])
            many.remove(tensors[0])
    notes: list[str] = []
    for name in named:
        if named[name].dtype.kind in "SU":
            named[name] = named[name].astype("S").astype(object)
        if named[name].dtype == np.uint8 and node_name(name) in graph:
            named[name], told = as_pixels(graph, name, named[name], pixels)
            notes += told
    scalars = [name for name in many if _is_scalar(graph, name)]
    extra = generate_samples(graph, scalars, samples=1).batches[0] if scalars else {}
    batches = [{**batch, **extra} for batch in _split(named, graph)]
    return Samples(batches, "the given inputs", notes)


def _is_scalar(graph: Graph, name: str) -> bool:
    node = graph.get(node_name(name))
    return node is not None and not node.shape_attr("shape").dims


def _split(arrays: Mapping[str, Array], graph: Graph) -> list[dict[str, Array]]:
    sizes = {len(array) for array in arrays.values() if array.ndim}
    if len(sizes) != 1:
        return [dict(arrays)]
    size = sizes.pop()
    fixed = [fixed_batch(graph, name) for name, array in arrays.items() if array.ndim]
    most = min((d for d in fixed if d), default=_MOST_AT_ONCE)
    if size <= most or (any(fixed) and size % most):
        return [dict(arrays)]
    return [
        {name: array[at : at + most] if array.ndim else array for name, array in arrays.items()}
        for at in range(0, size, most)
    ]


def read_pictures(folder: Path) -> list[npt.NDArray[np.uint8]]:
    """The images in a folder, in the order of their names, RGB [h, w, 3].

    Raises:
        UsageError: there are none, one cannot be read, or Pillow is not installed.
    """
    files = sorted(file for file in folder.iterdir() if file.suffix.lower() in _SUFFIXES)
    if not files:
        raise UsageError(f"'{folder}' has no images ({', '.join(sorted(_SUFFIXES))})")
    try:
        from PIL import Image
    except ImportError:
        raise UsageError("reading images needs Pillow; run: pip install 'pbslim[images]'") from None
    found = []
    for file in files:
        try:
            with Image.open(file) as picture:
                found.append(np.asarray(picture.convert("RGB")))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise UsageError(f"cannot read the image '{file}': {error}") from None
    return found
