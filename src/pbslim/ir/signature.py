"""What the model that a graph came from calls its inputs and outputs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """Names for tensors of a graph.

    Attributes:
        name: such as ``serving_default``; empty where the outputs were named or found.
        inputs, outputs: key → tensor name, ``node`` or ``node:port``.
    """

    name: str
    inputs: Mapping[str, str]
    outputs: Mapping[str, str]
