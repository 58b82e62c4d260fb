"""Whether what `shrink` made still answers as the original."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from pbslim.errors import CheckError
from pbslim.verification import Verdict, Verification, compare_files

_SECONDS = 3.0
_MOST_SECONDS = 60.0


@dataclass(frozen=True)
class Proof:
    """How a result is verified.

    Attributes:
        evaluation: an .npz file of inputs and labels; photographs and the like are generated when not given.
        min_snr: signal to noise in dB that every output must have.
        max_drop: how much smaller the accuracy may become.
        engine: what runs the graphs.
        on_progress: is told how many batches are done, and of how many.
    """

    evaluation: Path | None = None
    min_snr: float | None = None
    max_drop: float | None = None
    engine: str = "builtin"
    on_progress: Callable[[int, int], None] | None = None

    @property
    def is_demanding(self) -> bool:
        """Whether a result may turn out not to be good enough to be written."""
        return self.min_snr is not None or self.max_drop is not None

    def verify(
        self, source: Path, result: Path, inputs: Sequence[str], new_inputs: Sequence[str], outputs: Sequence[str]
    ) -> Verification:
        """Compare two files; after a few seconds no further inputs are tried.

        Args:
            inputs, new_inputs: what the inputs are called in the source and in the result.

        Raises:
            PbslimError: they cannot be compared.
        """
        return compare_files(
            source,
            result,
            evaluation=self.evaluation,
            inputs=inputs,
            second_inputs=new_inputs if list(new_inputs) != list(inputs) else None,
            outputs=outputs,
            min_snr=self.min_snr,
            max_drop=self.max_drop,
            engine=self.engine,
            timeout=_MOST_SECONDS,
            budget=None if self.evaluation or self.is_demanding else _SECONDS,
            on_progress=self.on_progress,
        )


def require_met(found: Verification, recipe: str) -> None:
    """Refuse a result that does not meet what is asked for.

    Raises:
        CheckError: it does not.
    """
    if found.failures:
        raise CheckError(f"the result is {found.verdict}, nothing was written: {found.failures[0]}{advice(recipe)}")


def is_alarming(found: Verification, recipe: str) -> bool:
    """Whether a result is worse than people expect of its recipe."""
    return found.verdict in (Verdict.DEGRADED, Verdict.BROKEN) or (recipe == "optimize" and not found.verdict.is_exact)


def advice(recipe: str) -> str:
    """What to try where a recipe loses too much."""
    return "" if recipe == "optimize" else "; a milder recipe: optimize"
