"""Whether what `shrink` made still answers as the original."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

from pbslim.compression.promises import Promise
from pbslim.engines.apart import ProgramApart
from pbslim.errors import CheckError
from pbslim.ir.tensors import Array
from pbslim.verification import Verdict, Verification, compare_files
from pbslim.verification.feeds import DEFAULT_SAMPLES

_SECONDS = 3.0
_MOST_SECONDS = 60.0
_DECISIONS, _MOST_SAMPLES = 2, 256


class Files(NamedTuple):
    """The files and the names in them.

    Attributes:
        new_inputs: what inputs are called in the result.
        inner: further tensors to compare, in place of outputs that come after a selection.
    """

    source: Path
    out: Path
    inputs: Sequence[str]
    new_inputs: Sequence[str]
    outputs: Sequence[str]
    inner: Sequence[str] = ()


@dataclass(frozen=True)
class Proof:
    """How a result is verified.

    Attributes:
        evaluation: an .npz file of inputs and labels; photographs and the like are generated when not given.
        min_snr: signal to noise in dB that every output must have.
        max_drop: how much smaller the accuracy may become.
        min_agreement: share of equal decisions that every output must have.
        samples: how many inputs to try.
        engine: what runs the graphs.
        cautious: give up on what takes far more time or memory than the size of the file makes likely.
        examples: how many samples of which decisions differ to keep.
        spare: processes for several proofs; see `pbslim.verification.running.spared`.
        patient: try all inputs, however long that takes; else a result of which nothing is demanded gets a few seconds.
        rounding: whether the rounding of floats may explain a difference, which takes a while to see.
        on_progress: called with the number of batches done, and of all.
    """

    evaluation: Path | None = None
    min_snr: float | None = None
    max_drop: float | None = None
    min_agreement: float | None = None
    samples: int = DEFAULT_SAMPLES
    engine: str = "builtin"
    cautious: bool = False
    examples: int = 0
    spare: list[ProgramApart] | None = None
    patient: bool = False
    rounding: bool = True
    on_progress: Callable[[int, int], None] | None = None

    @property
    def _enough_samples(self) -> int:
        """So many that one decision more or less does not decide whether enough of them are equal."""
        if self.min_agreement is None or self.min_agreement >= 1:
            return self.samples
        return max(self.samples, min(math.ceil(_DECISIONS / (1 - self.min_agreement)), _MOST_SAMPLES))

    @property
    def is_demanding(self) -> bool:
        """Whether a result may turn out not to be good enough to be written."""
        return any(each is not None for each in (self.min_snr, self.max_drop, self.min_agreement))

    def demanding(self, promise: Promise) -> Proof:
        """The same, with what is promised where no more is asked for."""
        return replace(self, min_snr=max(promise.snr, self.min_snr or promise.snr))

    def verify(self, files: Files, seed: int = 0, tests: Mapping[str, Array] | None = None) -> Verification:
        """Compare the source with the result.

        Args:
            seed: another one gives other inputs.
            tests: inputs by their names in the result, where no file of them is given.

        Raises:
            PbslimError: they cannot be compared.
        """
        return compare_files(
            files.source,
            files.out,
            None if tests is None or self.evaluation else _renamed(tests, files),
            evaluation=self.evaluation,
            inputs=files.inputs,
            second_inputs=files.new_inputs if list(files.new_inputs) != list(files.inputs) else None,
            outputs=list(dict.fromkeys([*files.outputs, *files.inner])),
            samples=self._enough_samples,
            seed=seed,
            min_snr=self.min_snr,
            min_agreement=self.min_agreement,
            max_drop=self.max_drop,
            engine=self.engine,
            timeout=_MOST_SECONDS,
            budget=None if self.evaluation or self.is_demanding or self.patient else _SECONDS,
            cautious=self.cautious,
            examples=self.examples,
            spare=self.spare,
            rounding=self.rounding,
            on_progress=self.on_progress,
        )


def require_met(found: Verification, recipe: str | None) -> None:
    """Refuse a result that does not meet what is asked for.

    Raises:
        CheckError: it does not.
    """
    if found.failures:
        raise CheckError(f"the result is {found.verdict}, nothing was written: {found.failures[0]}{advice(recipe)}")


def is_alarming(found: Verification, recipe: str | None, promise: Promise | None = None) -> bool:
    """Whether a result is worse than people expect of its recipe, or than what was promised."""
    if promise is not None:
        return bool(found.failures) or found.snr < promise.snr
    return found.verdict in (Verdict.DEGRADED, Verdict.BROKEN) or (recipe == "optimize" and not found.verdict.is_exact)


def advice(recipe: str | None, promise: Promise | None = None) -> str:
    """What to try where a recipe, or a promise, loses too much; a size or a plan that was asked for may lose all."""
    if recipe is None:
        return "; a better one: --quality near-lossless" if promise else ""
    return "" if recipe == "optimize" else "; a milder recipe: optimize"


def _renamed(tests: Mapping[str, Array], files: Files) -> dict[str, Array]:
    """What is fed by the names in the original."""
    names = dict(zip(files.new_inputs, files.inputs, strict=True))
    return {names.get(name, name): value for name, value in tests.items()}
