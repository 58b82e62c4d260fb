"""Where batch, height, width and channels stand in the shape of images."""

from __future__ import annotations

from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, check_indices, require
from pbslim.kernels.registry import Attributes, kernel


def data_format_of(attrs: Attributes, *known: str) -> str:
    """The attribute ``data_format``, one of those known (NHWC and NCHW if there are none); the first is the default."""
    known = known or ("NHWC", "NCHW")
    data_format = attrs.text("data_format", known[0])
    require(data_format in known, f"data_format '{data_format}' is not supported")
    return data_format


def channels_last(x: Array, data_format: str) -> Array:
    """Images as [batch, spatial dimensions, channels]; a view."""
    require(x.ndim == len(data_format), f"it needs {len(data_format)} dimensions")
    return x if data_format.endswith("C") else np.moveaxis(x, 1, -1)


def from_channels_last(x: Array, data_format: str) -> Array:
    """The opposite of `channels_last`."""
    return x if data_format.endswith("C") else np.moveaxis(x, -1, 1)


def _formats(attrs: Attributes) -> tuple[str, str]:
    source, target = attrs.text("src_format", "NHWC"), attrs.text("dst_format", "NCHW")
    same = len(source) in (4, 5) and len({*source}) == len(source) and sorted(source) == sorted(target)
    require(same, f"'{source}' and '{target}' are not two orders of the same 4 or 5 letters")
    return source, target


@kernel("DataFormatDimMap", takes="index")
def _dim_map(attrs: Attributes, x: Array) -> Any:
    source, target = _formats(attrs)
    rank = len(source)
    check_indices(x + rank, 2 * rank, "dimension, counted from the end,")
    return np.array([target.index(letter) for letter in source], x.dtype)[x % rank]


@kernel("DataFormatVecPermute", takes="index")
def _vec_permute(attrs: Attributes, x: Array) -> Any:
    """One element or pair for each letter, or for height and width alone."""
    source, target = _formats(attrs)
    require(x.ndim == 1 or (x.ndim == 2 and x.shape[1] == 2), "it needs a vector or rows of 2 elements")
    if x.shape[0] == len(source) - 2:
        source, target = (layout.replace("N", "").replace("C", "") for layout in (source, target))
    require(x.shape[0] == len(source), f"{x.shape[0]} elements for {len(source)} dimensions")
    return x[[source.index(letter) for letter in target]]
