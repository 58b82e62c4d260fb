"""What a verification finds."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field

from pbslim.engines.apart import Memory
from pbslim.verification.metrics import Agreement
from pbslim.verification.verdict import Verdict


@dataclass(frozen=True)
class Comparison:
    """One output in both graphs, over all samples.

    Attributes:
        largest_difference: the largest absolute difference of two elements; for types without differences the
            number of elements that are not equal.
        largest_value: the largest absolute value in the first graph.
        problem: why they do not agree; empty when they do.
        mean_difference: the mean of the absolute differences; for other types the share of unequal elements.
        snr: signal to noise in dB, before a final softmax or sigmoid; infinite for equal values, None where there are
            no floats.
        snr_interval: the 95 % confidence interval of what very many samples would give, None where it is not known.
        cosine: of the angle between all values of both graphs, None where there is none.
        agreement: equal decisions, None where the output makes none.
        top_five: how often the best class of the first graph is among the five best of the second.
        is_rounding: whether the rounding of floats explains the difference.
        is_ordered: whether it comes after a selection (non-maximum suppression, top-k), where a small difference
            changes the order.
        is_numeric: whether its values have differences; strings and flags do not.
    """

    output: str
    shape: tuple[int, ...]
    largest_difference: float
    largest_value: float
    problem: str = ""
    mean_difference: float = 0.0
    snr: float | None = None
    cosine: float | None = None
    agreement: Agreement | None = None
    top_five: Agreement | None = None
    is_rounding: bool = False
    is_ordered: bool = False
    is_numeric: bool = True
    snr_interval: tuple[float, float] | None = None

    @property
    def size(self) -> int:
        """The number of elements."""
        return math.prod(self.shape)

    @property
    def agrees(self) -> bool:
        """Whether the output is the same within what is allowed."""
        return not self.problem


@dataclass(frozen=True)
class Layer:
    """A tensor that both graphs have.

    Attributes:
        snr: signal to noise in dB there, when both graphs run from their inputs.
        own_snr: the same when the second graph gets the first one's values up to here, so that only the nodes since
            the tensors before it count.
        constants: the constants that these nodes read and that differ from those of the same name in the first graph.
    """

    name: str
    op: str
    snr: float
    own_snr: float
    constants: tuple[str, ...] = ()


@dataclass(frozen=True)
class Example:
    """A sample on which the graphs decide differently.

    Attributes:
        number: of the sample, from 0.
        changed: how many of its decisions differ; `decisions` is how many it has.
        first, second: what each graph decides, where the sample has one decision; a class has its number.
        first_score, second_score: the value of the output for that decision, None where it has none.
        picture: the input as a PNG file, where it is a picture.
        text: the input, where it is text.
    """

    number: int
    output: str
    decisions: int
    changed: int
    first: str = ""
    second: str = ""
    first_score: float | None = None
    second_score: float | None = None
    picture: bytes = b""
    text: str = ""


@dataclass(frozen=True)
class Accuracy:
    """The share of samples that both graphs get right, with labels."""

    first: Agreement
    second: Agreement

    @property
    def drop(self) -> float:
        """How much smaller the share of the second graph is."""
        return self.first.share - self.second.share


@dataclass(frozen=True)
class Verification:
    """Two graphs compared; iterating over it gives the comparisons.

    Attributes:
        comparisons: one for each output.
        memory: what each graph took, where one of them is a memory-mapped package and the system reports it.
        verdict: how good the second graph is.
        failures: which of the demands are not met.
        engine: what ran the graphs.
        samples: how many inputs were tried; `origin` says what they were.
        seconds: how long it took.
        notes: what had to be guessed, and other remarks.
        layers: the layers in order, where they were asked for.
        accuracy: with labels.
        metric: what the caller's own metric gives for both graphs.
        examples: samples on which the graphs decide differently, those that change most first, where they were asked
            for.
    """

    comparisons: list[Comparison]
    memory: tuple[Memory, ...] = ()
    verdict: Verdict = Verdict.IDENTICAL
    failures: list[str] = field(default_factory=list)
    engine: str = ""
    samples: int = 0
    origin: str = ""
    seconds: float = 0.0
    notes: list[str] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)
    accuracy: Accuracy | None = None
    metric: tuple[float, float] | None = None
    examples: list[Example] = field(default_factory=list)

    def __iter__(self) -> Iterator[Comparison]:
        return iter(self.comparisons)

    def __len__(self) -> int:
        return len(self.comparisons)

    def __getitem__(self, index: int) -> Comparison:
        return self.comparisons[index]

    @property
    def agrees(self) -> bool:
        """Whether all that was asked for is met."""
        return not self.failures

    @property
    def snr(self) -> float:
        """Signal to noise in dB of the worst output that counts; infinite when none differs."""
        return min((each.snr for each in self._judged() if each.snr is not None), default=math.inf)

    @property
    def snr_interval(self) -> tuple[float, float] | None:
        """The 95 % confidence interval of what very many samples would give, None where it is not known."""
        found = [(each.snr, each.snr_interval) for each in self._judged() if each.snr is not None]
        return min(found, key=lambda each: each[0], default=(math.inf, None))[1]

    @property
    def snr_low(self) -> float:
        """The lowest end of the intervals of all outputs that count; of one without an interval the value itself."""
        found = ((each.snr_interval or (each.snr,))[0] for each in self._judged())
        return min((low for low in found if low is not None), default=math.inf)

    @property
    def agreement(self) -> Agreement | None:
        """The equal decisions of the worst output that counts, None when none makes decisions."""
        found = [each.agreement for each in self._judged() if each.agreement is not None]
        return min(found, key=lambda each: each.share, default=None)

    def _judged(self) -> list[Comparison]:
        return judged(self.comparisons)

    def worst_layers(self, count: int = 3) -> list[Layer]:
        """The layers that lose most by themselves, the worst first."""
        losing = [each for each in self.layers if each.own_snr < math.inf or each.constants]
        return sorted(losing, key=lambda each: each.own_snr)[:count]


def judged(comparisons: list[Comparison]) -> list[Comparison]:
    """The outputs that count: those after a selection only where there are no others with floats."""
    plain = [each for each in comparisons if not each.is_ordered]
    return plain if any(each.snr is not None for each in plain) else comparisons
