"""How much work a compression may take."""

from __future__ import annotations

from dataclasses import dataclass

from pbslim.errors import UsageError


@dataclass(frozen=True)
class Effort:
    """What is spent on finding the smallest weights.

    Attributes:
        calibration: inputs for the moments.
        validation: inputs that the search looks at.
        probes: inputs that each weight is tried on; without any, all weights get equal steps.
        traced: inputs of which gradients say how much each channel matters.
        compensated: round each weight with regard to the errors of those before it; else plainly, and repair biases.
        passes: how often each weight is tried: after the first time at the coarseness that it is about to have.
        close: dB above the target that are not worth another try.
        tries: most tries of one search.
        trellis: code what was found along a trellis, where the form of weights allows that.
    """

    calibration: int = 64
    validation: int = 32
    probes: int = 8
    traced: int = 32
    compensated: bool = True
    passes: int = 1
    close: float = 0.4
    tries: int = 8
    trellis: bool = False


EFFORTS = {
    "least": Effort(calibration=4, validation=4, probes=0, traced=0, compensated=False, tries=6),
    "low": Effort(calibration=12, validation=8, probes=2, traced=0, compensated=False, tries=6),
    "normal": Effort(),
    "high": Effort(calibration=192, validation=64, probes=16, traced=96, passes=2, close=0.1, tries=12, trellis=True),
}
"""Name → what is spent."""


CHEAPER = ("low", "least")
"""What is tried in place of an effort for which there is no time."""


def effort_of(name: str) -> Effort:
    """The effort of that name.

    Raises:
        UsageError: there is none.
    """
    if name not in EFFORTS:
        raise UsageError(f"unknown effort '{name}' (known: {', '.join(EFFORTS)})")
    return EFFORTS[name]
