"""What is compared in place of outputs that a selection makes, as boxes after a suppression cannot be, one by one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pbslim.compression.model import Model
from pbslim.compression.variations import Batch
from pbslim.engines import engine
from pbslim.errors import PbslimError
from pbslim.ir.tensors import Array
from pbslim.names import node_name, shortened
from pbslim.shrinking.proof import Files
from pbslim.verification.outputs import before_selections, how_to_judge
from pbslim.wire import load

_SAME = 1e-3
"""Of the largest value: more than what folding changes."""


def stand_ins(model: Model, files: Files, batch: Batch) -> list[str]:
    """The tensors of the original that its selections choose from, and that the simplified graph computes as well.

    Args:
        batch: to see that a name means the same in both; a folded batch norm, for one, moves into the layer before it.
    """
    selected = [name for name in files.outputs if how_to_judge(model.graph, name).is_ordered]
    wanted = [name for name in before_selections(model.graph, selected) if name not in files.outputs]
    if not wanted:
        return []
    original = load(files.source)
    known = [name for name in wanted if node_name(name) in original]
    names = dict(zip(files.new_inputs, files.inputs, strict=True))
    try:
        with engine(model.engine).load(original) as program:
            before = program.run({names.get(name, name): value for name, value in batch.items()}, known)
    except PbslimError:
        return []  # it has ops that the simplified graph has not
    after = model.program.run(batch, known)
    return [name for name, one, other in zip(known, before, after, strict=True) if _means_the_same(one, other)]


def notes_of(tensors: Sequence[str]) -> list[str]:
    """What a user should know where these are compared."""
    return [f"outputs after a selection are judged by what it chooses from: {shortened(tensors)}"] if tensors else []


def _means_the_same(one: Array, other: Array) -> bool:
    """Whether two tensors are equal but for rounding; what is not finite cannot be compared."""
    if one.shape != other.shape or one.dtype != other.dtype or not np.isfinite(one).all():
        return False
    return bool(np.abs(one - other).max(initial=0) <= _SAME * np.abs(one).max(initial=0))
