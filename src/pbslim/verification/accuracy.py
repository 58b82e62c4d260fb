"""How often a graph is right, with labels."""

from __future__ import annotations

from typing import Any

import numpy.typing as npt

from pbslim.errors import UsageError
from pbslim.verification.metrics import Agreement, agreement

Array = npt.NDArray[Any]


def predicted(outputs: dict[str, Array], labels: Array) -> tuple[str, Array]:
    """The output that holds the classes for `labels`, and the classes: as they are, or of the best scores.

    Raises:
        UsageError: no output fits the labels.
    """
    for name, values in outputs.items():
        if values.dtype.kind in "iub" and values.shape == labels.shape:
            return name, values
    for name, values in outputs.items():
        if values.dtype.kind == "f" and values.shape[:-1] == labels.shape and values.shape[-1] > 1:
            return name, values.argmax(-1)
    for name, values in outputs.items():
        if values.dtype.kind == "f" and values.shape == (*labels.shape, 1):
            return name, values[..., 0] > 0.5
    shapes = ", ".join(f"{name} {list(values.shape)}" for name, values in outputs.items())
    raise UsageError(f"labels of shape {list(labels.shape)} fit no output ({shapes}); name one with --outputs")


def accuracy(classes: Array, labels: Array) -> Agreement:
    """The share of samples of which every class is right; negative labels are padding."""
    right = (classes == labels) | (labels < 0)
    return agreement(right.reshape(len(labels), -1).all(axis=1), len(labels))
