"""What a comparison must meet."""

from __future__ import annotations

from dataclasses import dataclass, replace

from pbslim.verification.results import Accuracy, Comparison
from pbslim.verification.verdict import Verdict

_RTOL, _ATOL = 1e-4, 1e-5


@dataclass(frozen=True)
class Demands:
    """What must be met; when nothing is asked for, the second graph must compute the same but for float rounding.

    Attributes:
        min_snr: signal to noise in dB that every output must have.
        min_agreement: share of equal decisions that every output must have.
        rtol, atol: ``|a - b| <= atol + rtol * max|a|`` must hold for every element; None for 1e-4 and 1e-5 where the
            other one is given.
        max_drop: how much smaller the accuracy or the caller's metric may become.
    """

    min_snr: float | None = None
    min_agreement: float | None = None
    rtol: float | None = None
    atol: float | None = None
    max_drop: float | None = None

    @property
    def is_nothing(self) -> bool:
        """Whether nothing is asked for."""
        return self == Demands()

    @property
    def tolerances(self) -> tuple[float, float] | None:
        """Relative and absolute tolerance, None when neither is asked for."""
        if self.rtol is None and self.atol is None:
            return None
        return _RTOL if self.rtol is None else self.rtol, _ATOL if self.atol is None else self.atol

    def checked(self, comparisons: list[Comparison]) -> list[Comparison]:
        """The comparisons, each with what is wrong with it."""
        return [replace(each, problem=each.problem or self._problem(each)) for each in comparisons]

    def failures(
        self,
        comparisons: list[Comparison],
        verdict: Verdict,
        accuracy: Accuracy | None,
        metric: tuple[float, float] | None,
    ) -> list[str]:
        """What is not met, by checked comparisons and all together."""
        found = [f"'{each.output}': {each.problem}" for each in comparisons if each.problem]
        if self.is_nothing and not verdict.is_exact and not found:
            found.append("the graphs differ by more than float rounding")
        if self.max_drop is None:
            return found
        if accuracy and not accuracy.first.share:
            found.append("no label is what the first graph decides, so nothing says whether its accuracy drops")
            return found
        drop = accuracy.drop if accuracy else metric[0] - metric[1] if metric else 0.0
        if drop > self.max_drop:
            what = f"accuracy drops by {drop:.2%}" if accuracy else f"the metric drops by {drop:.6g}"
            found.append(f"{what}, {self.max_drop:g} is allowed")
        return found

    def _problem(self, found: Comparison) -> str:
        if self.is_nothing:
            return "" if found.is_rounding else _difference(found)
        snr, agreement = found.snr, found.agreement
        if self.min_snr is not None and snr is not None and not found.is_ordered and snr < self.min_snr:
            return f"{snr:.1f} dB, at least {self.min_snr:g} are asked for"
        least = self.min_agreement
        if least is not None and agreement is not None and not found.is_ordered and agreement.share < least:
            return f"{agreement.share:.1%} of decisions agree, at least {least:.1%} are asked for"
        return within(found, *self.tolerances) if self.tolerances else ""


def growth(first: int, second: int, most: float) -> list[str]:
    """What is wrong with a file of `second` bytes where one of `first` may grow by the share `most`."""
    if second <= first * (1 + most):
        return []
    grown = f"by {second / first - 1:.2%}" if first else "from nothing"
    return [f"the file grows {grown}, from {first} to {second} bytes; {most:.2%} is allowed"]


def within(found: Comparison, rtol: float, atol: float) -> str:
    """Why an output is not within tolerances; empty when it is."""
    if found.largest_difference == 0:
        return ""
    if not found.is_numeric:
        return _difference(found)
    allowed = atol + rtol * found.largest_value
    if found.largest_difference <= allowed:
        return ""
    return f"off by {found.largest_difference:.3g}, {allowed:.3g} is allowed"


def _difference(found: Comparison) -> str:
    if not found.is_numeric:
        return f"{found.largest_difference:.0f} of {found.size} values differ"
    if found.largest_difference == 0:
        return "the scores that it selects from differ"
    return f"off by {found.largest_difference:.3g}"
