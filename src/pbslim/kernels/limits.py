"""How much a kernel may compute. It asks before it does, for a file of a few bytes can ask for gigabytes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

MAX_ELEMENTS = 2**28


@dataclass
class Limits:
    """What is allowed.

    Attributes:
        elements: of one array.
        text: bytes of all strings in one array.
        work: elements that may still be computed, each as cheap as a sum; it shrinks with what is computed.
        exact: whether results that TensorFlow leaves open, or that differ between processors, are refused.
    """

    elements: int = MAX_ELEMENTS
    text: int = MAX_ELEMENTS
    work: float = math.inf
    exact: bool = True


_LIMITS = ContextVar("limits", default=Limits())  # noqa: B039 - nothing can be taken from its infinite work
current = _LIMITS.get
"""The limits that hold now."""


@contextmanager
def limited(limits: Limits) -> Iterator[None]:
    """Let `limits` hold inside of the block."""
    token = _LIMITS.set(limits)
    try:
        yield
    finally:
        _LIMITS.reset(token)
