"""Batch norms that are a single op, with constant statistics."""

from __future__ import annotations

from dataclasses import dataclass

from pbslim.analysis.constants import constant
from pbslim.errors import counted
from pbslim.ir import Node, Tensor
from pbslim.rewrite import Skip

_FUSED = ("gamma", "beta", "mean", "variance")
_INPUTS = {
    "BatchNormWithGlobalNormalization": ("mean", "variance", "beta", "gamma"),
    "FusedBatchNorm": _FUSED,
    "FusedBatchNormV2": _FUSED,
    "FusedBatchNormV3": _FUSED,
}
BATCH_NORMS = frozenset(_INPUTS)
"""The ops."""


@dataclass(frozen=True)
class BatchNorm:
    """What a batch norm computes: ``(x - mean) / sqrt(variance + epsilon) * gamma + beta``, `gamma` None for 1."""

    mean: Tensor
    variance: Tensor
    beta: Tensor
    gamma: Tensor | None
    epsilon: float

    @property
    def statistics(self) -> dict[str, Tensor]:
        """The tensors by name."""
        named = {"mean": self.mean, "variance": self.variance, "beta": self.beta, "gamma": self.gamma}
        return {name: tensor for name, tensor in named.items() if tensor is not None}


def check_inference(node: Node) -> None:
    """Raise `Skip` where one of `BATCH_NORMS` trains, or gives away the statistics of the batch."""
    if node.op != "BatchNormWithGlobalNormalization" and node.attr("is_training", bool, True):
        raise Skip("is_training is set: it computes the statistics from the batch")
    if any(value.uses for value in node.outputs if value.port):
        raise Skip("the batch statistics it computes are read")


def batch_norm(node: Node) -> BatchNorm:
    """The statistics of one of `BATCH_NORMS`.

    Raises:
        Skip: they are not constant, or it computes or gives away others.
    """
    check_inference(node)
    fused = node.op != "BatchNormWithGlobalNormalization"
    if len(node.inputs) != 5:
        raise Skip(f"it has {counted(len(node.inputs), 'input')}, not 5")
    epsilon = node.attr("epsilon", float) if fused else node.attr("variance_epsilon", float, 1e-3)
    if epsilon is None:
        raise Skip("its epsilon is not a number")
    found: dict[str, Tensor] = {}
    for name, value in zip(_INPUTS[node.op], node.inputs[1:], strict=True):
        tensor = constant(value)
        if tensor is None or not tensor.dtype.is_floating:
            raise Skip(f"its {name} '{value.name}' is not a constant of floats; run fold_constants before")
        found[name] = tensor
    gamma = found.pop("gamma")
    used = fused or node.attr("scale_after_normalization", bool, False)
    return BatchNorm(**found, gamma=gamma if used else None, epsilon=epsilon)
