"""What `shrink` is asked for when there is no recipe."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

from pbslim.compression.estimate import Progress
from pbslim.compression.plan import Plan
from pbslim.compression.promises import PROMISES, Promise
from pbslim.compression.schemes import Rule


def _unheard(_: object) -> None:
    """Nobody listens."""


@dataclass(frozen=True)
class CompressionOptions:
    """What to compress for.

    Attributes:
        promise: how near the result stays.
        calibrate: an .npz file or folder of inputs; photographs or other generated ones when not given.
        keep: names of constants to leave alone, in which ``*`` stands for anything.
        schemes: how some weights are to be stored; of rules that fit the same one the last counts.
        target: who reads the file; see `pbslim.compression.writing.TARGETS`.
        goal: what is to be small; see `pbslim.compression.writing.GOALS`.
        prefer: ``speed``, so that weights are decoded once where TensorFlow computes constants beforehand, or ``ram``,
            so that they are decoded anew in each run; ``ram`` is chosen for the goal of that name.
        target_size: bytes that the file may have; the promise then says nothing.
        effort: how much work may be spent; see `pbslim.compression.effort.EFFORTS`.
        time_limit: seconds, the proof included; what would take longer is done in a cheaper way, and says so. It is no
            hard limit.
        plan: of an earlier run, to be replayed; it says all that matters, other options do not.
        engine: what runs the search, ``builtin`` or ``tensorflow``; the proof has its own, see `Proof`.
        executor: what tries weights on several inputs at the same time, any `concurrent.futures.Executor`; the result
            is the same.
        tell: called with the progress of the work.
        say: called with what a user should know before the end.
    """

    promise: Promise = PROMISES["balanced"]
    calibrate: Path | None = None
    keep: tuple[str, ...] = ()
    schemes: tuple[Rule, ...] = ()
    target: str = "tf2"
    goal: str = "raw"
    prefer: str | None = None
    target_size: int | None = None
    effort: str = "normal"
    time_limit: float | None = None
    plan: Plan | None = None
    engine: str = "builtin"
    executor: Executor | None = None
    tell: Callable[[Progress], None] = _unheard
    say: Callable[[str], None] = _unheard

    def unheard(self) -> CompressionOptions:
        """The same without what only this process has."""
        return replace(self, executor=None, tell=_unheard, say=_unheard)

    @property
    def stays(self) -> bool:
        """Whether weights stay small in memory, which plain floats never are."""
        return (self.prefer or ("ram" if self.goal == "ram" else "speed")) == "ram"

    @property
    def promises(self) -> bool:
        """Whether the result is held to the promise."""
        return self.target_size is None and self.plan is None
