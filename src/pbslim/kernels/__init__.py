"""Numpy evaluation of TensorFlow ops, for constant folding and for the builtin engine.

A kernel takes attributes and numpy arrays and gives one array for each output port, of the dtype and the values that
TensorFlow's CPU kernels give. What it cannot do that way it refuses with a `KernelError`.
"""

from __future__ import annotations

from pbslim.kernels import (  # noqa: F401  # each module registers its kernels
    activations,
    arithmetic,
    audio,
    casting,
    colors,
    convolutions,
    ctc,
    decoding,
    diagonals,
    einsum,
    elementwise,
    error_functions,
    fake_quantization,
    fingerprints,
    fourier,
    fused,
    gathering,
    generators,
    gradients,
    joining,
    layouts,
    linear_algebra,
    logic,
    losses,
    morphology,
    normalization,
    patterns,
    philox,
    pooling,
    pooling_gradients,
    products,
    quantization,
    quantized_products,
    quantized_sums,
    ragged,
    recurrent,
    reductions,
    resampling,
    resizing,
    resizing_gradients,
    scans,
    scattering,
    searching,
    segments,
    selection,
    shapes,
    sip_hash,
    slicing,
    sparse,
    spatial,
    strings,
    suppression,
    tokens,
    transposed,
)
from pbslim.kernels.checks import KernelError
from pbslim.kernels.registry import Attributes, Prepared, evaluate, has_kernel, kernel_names

__all__ = ["Attributes", "KernelError", "Prepared", "evaluate", "has_kernel", "kernel_names"]
