"""What a compressed model promises, in the steps of the verdicts of ``pbslim verify``."""

from __future__ import annotations

from dataclasses import dataclass

from pbslim.errors import UsageError
from pbslim.verification.verdict import LIMITS, Verdict


@dataclass(frozen=True)
class Promise:
    """How near a compressed model stays.

    Attributes:
        snr: signal to noise of every output, in dB.
        agreement: the share of decisions that are the same, where outputs are scores.
    """

    snr: float
    agreement: float


PROMISES = {
    "near-lossless": Promise(*LIMITS[Verdict.NEAR_LOSSLESS]),
    "balanced": Promise(*LIMITS[Verdict.GOOD]),
    "small": Promise(*LIMITS[Verdict.DEGRADED]),
}
"""Name → promise."""


def promise_of(quality: str, snr: float | None = None, agreement: float | None = None) -> Promise:
    """The promise of that name, with figures of the user's own where they are given.

    Raises:
        UsageError: there is none of that name.
    """
    if quality not in PROMISES:
        raise UsageError(f"unknown quality '{quality}' (known: {', '.join(PROMISES)})")
    known = PROMISES[quality]
    return Promise(known.snr if snr is None else snr, known.agreement if agreement is None else agreement)
