"""Fourier transforms over the last dimensions."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from pbslim.kernels.checks import Array, checked_shape, require, vector
from pbslim.kernels.registry import Attributes, kernel

_WIDER = 2


def _check_rank(x: Array, rank: int) -> None:
    require(x.ndim >= rank, f"it needs at least {rank} dimensions")
    require(x.size, "nothing is to be transformed")


def _complex_transform(function: Callable[..., Any], rank: int) -> Callable[..., Any]:
    def run(_attrs: Attributes, x: Array) -> Any:
        _check_rank(x, rank)
        checked_shape([_WIDER, *x.shape], "the transform in double precision")
        return function(x, axes=range(-rank, 0)).astype(x.dtype)

    return run


def _real_transform(function: Callable[..., Any], rank: int, *, inverse: bool) -> Callable[..., Any]:
    """Between real numbers and the half of their transform that determines the other half."""

    def run(_attrs: Attributes, x: Array, fft_length: Array) -> Any:
        _check_rank(x, rank)
        lengths = vector(fft_length, "fft_length")
        require(len(lengths) == rank and min(lengths) > 0, f"fft_length must be {rank} positive numbers")
        needed = [*lengths[:-1], lengths[-1] // 2 + 1] if inverse else lengths
        enough = all(size >= least for size, least in zip(x.shape[-rank:], needed, strict=True))
        require(enough, f"the last dimensions must have at least {needed} elements")
        checked_shape([_WIDER, *x.shape[:-rank], *lengths], "the transform in double precision")
        target = x.real.dtype if inverse else np.result_type(x.dtype, np.complex64)
        return function(x, lengths, axes=range(-rank, 0)).astype(target)

    return run


for _rank, _suffix in ((1, ""), (2, "2D"), (3, "3D")):
    kernel(f"FFT{_suffix}", takes="complex")(_complex_transform(np.fft.fftn, _rank))
    kernel(f"IFFT{_suffix}", takes="complex")(_complex_transform(np.fft.ifftn, _rank))
    kernel(f"RFFT{_suffix}", takes="float|double int32")(_real_transform(np.fft.rfftn, _rank, inverse=False))
    kernel(f"IRFFT{_suffix}", takes="complex int32")(_real_transform(np.fft.irfftn, _rank, inverse=True))
