"""Search, write, prove; tighten until the proof holds, and loosen where it holds by far."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

from pbslim.analysis.zipsize import zipped_size
from pbslim.compression.choices import choices
from pbslim.compression.compressor import Compressor, Tell, written
from pbslim.compression.effort import CHEAPER
from pbslim.compression.estimate import VERIFYING
from pbslim.compression.plan import Plan, fingerprint
from pbslim.compression.promises import Promise
from pbslim.compression.samples import SampleSets
from pbslim.compression.search import Candidate
from pbslim.errors import CheckError, counted
from pbslim.ir import Graph
from pbslim.names import shortened
from pbslim.shrinking.options import CompressionOptions
from pbslim.shrinking.proof import Files, Proof
from pbslim.shrinking.stand_ins import notes_of
from pbslim.verification import Verification
from pbslim.wire import save

_ATTEMPTS = 8
_AHEAD = 0.5  # dB beyond the promise for the first search, as what it finds suits its own inputs best
_MORE = 0.3  # dB beyond what was missing
_UNEQUAL, _GROWTH = 1.5, 1.6  # dB for decisions that changed, and how that grows while they still do
_FAR = 8.0  # dB for them where no attempt goes back
_SPARE, _MARGIN = 2.0, 1.0  # dB above what is needed from which on another try is worth it, and dB to stay above it
_STRUCTURE_TRIES, _UNUSED = 5, 0.02  # and the part of a size that may stay unused
_GENEROUS = 3.0  # dB beyond what was missing, where the time is up
_LAST = 3  # attempts that are made then, until one is kept
_LUCK = 2.0  # dB by which the inputs of the search may find weights worse than all others do
_LIKE_ROUNDING = 60.0  # dB from which on a difference may be the rounding of floats
_GRACE = 1.5  # dB by which the lower end of an interval may miss a promise, as it is that of the worse of two sets
_ENOUGH = 2.0  # dB above a promise that are enough, however wide the interval is


@dataclass(frozen=True)
class Attempt:
    """One result on the way.

    Attributes:
        wanted: signal to noise in dB that the search was to keep.
        searched: what it found, on its own inputs.
        size: bytes of the file; with the goal ``zip`` those of its zip.
        verification: on inputs that the search has not seen.
        kept: whether all that was asked for is met.
    """

    wanted: float
    searched: float
    size: int
    verification: Verification | None
    kept: bool


@dataclass
class Compressed:
    """What came of it.

    Attributes:
        graph: with the new weights.
        plan: how each is stored; None where nothing could be measured.
        verification: on inputs that nothing has seen before; None where that is not possible, for the reason in
            `not_verified`.
        attempts: what was tried on the way.
        interrupted: whether the search was stopped before its end.
        inner: what is to be compared beside the outputs where that is still to be done.
    """

    graph: Graph
    plan: Plan | None = None
    verification: Verification | None = None
    not_verified: str = ""
    notes: list[str] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    interrupted: bool = False
    inner: Sequence[str] = ()


@dataclass
class Attempts:
    """The way from a compressor to a result that keeps its promise.

    Attributes:
        forms: of weights in the file; where there are several, the smallest file is taken.
        proof: how results are compared with the original; without it the search alone decides.
        tell: called with what is done, how much of it is, and of how much.
        deadline: of the clock `time.perf_counter`, after which nothing is begun that is not needed.
        proving: seconds that the proofs are expected to take.
        looser: most attempts after one that keeps the promise by far; without any, steps towards it are larger.
    """

    compressor: Compressor
    forms: Sequence[str]
    files: Files
    options: CompressionOptions
    proof: Proof | None
    tell: Tell
    deadline: float = math.inf
    proving: float = 0.0
    looser: int = 2
    tried: list[Attempt] = field(default_factory=list)
    _kept: tuple[Compressed, tuple[float, int]] | None = None
    _started: float = field(default_factory=time.perf_counter)

    def best(self) -> Compressed:
        """The smallest result that was found to keep the promise.

        Raises:
            CheckError: there is none.
            KeyboardInterrupt: the search was stopped before there was one.
        """
        try:
            if self.options.target_size is not None:
                self._fit(self.options.target_size)
            else:
                self._search()
        except KeyboardInterrupt:
            return self._interrupted()
        return self._found()

    def _search(self) -> None:
        """Tighten until the promise is kept; then go back half the way, as the last step may have been far too long."""
        promise, found, unequal = self.options.promise, None, _UNEQUAL if self.looser else _FAR
        wanted = promise.snr + (_AHEAD if self.proof else 0.0)
        failed, kept, spare, again = None, None, 0.0, 0
        had = wanted
        for _ in range(_ATTEMPTS):
            try:
                found = self._weights(wanted, found, wanted - had)
            except CheckError:
                if not self.tried:
                    if wanted <= promise.snr:
                        raise
                    wanted = promise.snr  # nothing lies ahead of it
                elif self._kept or wanted - had <= _MARGIN:
                    return
                else:
                    wanted = (had + wanted) / 2  # nothing is as fine as that
                continue
            checked = self._attempt(found, wanted)
            if checked is None or self.proof is None:
                return
            found = replace(found, rounded={})  # which takes memory, and no other search needs it
            had = wanted
            short = _shortfall(checked, promise, unequal, _GRACE)
            if short:
                failed = wanted if failed is None else max(failed, wanted)
                unequal *= _GROWTH
            else:
                kept, spare = wanted if kept is None else min(kept, wanted), self._spare(checked)
            if kept is None and not self._has_time():
                if self._kept is None:
                    self._last(found, wanted, short, _LAST)
                return
            if kept is None:
                wanted += short
            elif again == self.looser or not self._has_time():
                return
            elif failed is not None and min(kept - failed, spare) > _MARGIN:
                wanted, again = (failed + kept) / 2, again + 1
            elif failed is None and _SPARE < spare < promise.snr:
                wanted, again = wanted - spare + _MARGIN, again + 1
            else:
                return

    def _last(self, found: Candidate, wanted: float, short: float, attempts: int = 1) -> None:
        """Up to so many more attempts, each with dB to spare for what the one before lacked, until one is kept."""
        for _ in range(attempts):
            found, wanted = self.compressor.quieter(found, short + _GENEROUS), wanted + short + _GENEROUS
            checked = self._attempt(found, wanted)
            if checked is None or self._kept:
                return
            short = _shortfall(checked, self.options.promise, _FAR)

    def _weights(self, wanted: float, before: Candidate | None, finer: float) -> Candidate:
        """Weights of about `wanted` dB: after a first search, those `finer` dB than the ones before.

        No two sets of inputs agree to the decibel, so that another search would find what suits its inputs by chance.
        Once there is a result that keeps the promise, smaller ones are wanted, of which the proof says whether they do.
        """
        until = self.deadline - self.proving
        found = self.compressor.quieter(before, finer) if before else None
        if found and (self._kept or found.snr > wanted - _LUCK):
            return found
        try:
            return self.compressor.compress(wanted, found, until)
        except CheckError:
            if found is None or before is None or found.snr <= before.snr:
                raise
            return found  # which is finer at least: the proof says whether it is enough

    def _fit(self, size: int) -> None:
        """The best result of no more bytes."""
        room, best = float(size), None
        for _ in range(_STRUCTURE_TRIES):
            try:
                found = self.compressor.fit(room)
            except CheckError:
                break
            taken = self._smallest(found)[1]
            if taken <= size and (best is None or found.snr > best.snr):
                self.compressor.best = best = found
            left = size - taken  # less than none where the graph takes room beside its weights
            room = found.bits / 8 + left * (0.95 if left > 0 else 1.02)
            if 0 <= left <= _UNUSED * size or room <= 0:
                break
        if best:
            self._attempt(best, best.snr)
            return
        found = self.compressor.coarsest()
        taken = self._smallest(found)[1]
        if taken > size:
            raise CheckError(
                f"no weights were found with which the file has at most {counted(size, 'byte')}; "
                f"the coarsest make it {taken}: ask for more"
            )
        self._attempt(found, found.snr)

    def _attempt(self, found: Candidate, wanted: float) -> Verification | None:
        """Write and verify a candidate, and remember the result if it is the smallest that keeps the promise."""
        number = len(self.tried)
        graph, size, form = self._smallest(found)
        proof = replace(self.proof, rounding=found.snr > _LIKE_ROUNDING) if self.proof else None
        checked = self._checked(graph, number, proof) if proof else None
        kept = self._keeps(checked)
        self.tried.append(Attempt(wanted, found.snr, size, checked, kept))
        rank = self._rank(checked, size)
        if kept and (self._kept is None or rank < self._kept[1]):
            notes = [*self.compressor.samples.notes, *notes_of(self.files.inner)]
            if unseen := self.compressor.model.unseen:
                notes.append(f"float16 at least, as nothing that is compared depends on them: {shortened(unseen)}")
            self._kept = Compressed(graph, self._plan(found, form), checked, notes=notes, attempts=self.tried), rank
        return checked

    def _checked(self, graph: Graph, number: int, proof: Proof) -> Verification:
        """How the result of an attempt compares with the original."""
        self.tell(f"{VERIFYING}, attempt {number + 1}", 0, 1)
        proof = replace(proof, on_progress=partial(self.tell, VERIFYING))
        checked = verified(graph, self.files, proof, number, self.compressor.samples)
        if not (self._keeps(checked) and self._has_fresh_inputs and (number or self.looser)):
            return checked
        # No two sets of inputs agree to the decibel, and a result may suit those by chance on which it was chosen.
        other = verified(graph, self.files, proof, 0 if number else _ATTEMPTS)
        return min(checked, other, key=lambda each: (self._keeps(each), self._spare(each)))

    def _spare(self, checked: Verification) -> float:
        """How many dB more there are than are needed, here and on other inputs; less than 0 where some are missing."""
        return -_missing(checked, self.options.promise.snr, _GRACE)

    def _rank(self, checked: Verification | None, size: int) -> tuple[float, int]:
        """Less is better: first nothing is to be missing, then the size counts."""
        return max(-self._spare(checked), 0.0) if checked and self.options.promises else 0.0, size

    @property
    def _has_fresh_inputs(self) -> bool:
        """Whether each attempt is verified on inputs of its own."""
        return self.compressor.samples.tests is None and not (self.proof and self.proof.evaluation)

    def _has_time(self) -> bool:
        """Whether there is time for as much again as an attempt took so far."""
        took = time.perf_counter() - self._started
        return time.perf_counter() + took / max(len(self.tried), 1) < self.deadline

    def _keeps(self, checked: Verification | None) -> bool:
        """Whether all that was asked for is met."""
        promised = self.options.promise if self.options.promises else None
        failed = bool(checked and self.proof and self.proof.is_demanding and checked.failures)
        return checked is None or not (failed or (promised and _shortfall(checked, promised, _UNEQUAL)))

    def _found(self) -> Compressed:
        if self._kept:
            return self._kept[0]
        last = self.tried[-1].verification if self.tried else None
        missing = f": {last.failures[0]}" if last and last.failures else ""
        more = "search longer with --effort normal, or " if self.options.effort in CHEAPER else "or "
        raise CheckError(
            f"no weights in fewer bits keep the promise on inputs that were not used before{missing}; "
            f"ask for less, {more}give real inputs with --calibrate"
        )

    def _interrupted(self) -> Compressed:
        """The best so far, which is verified now if it is not yet."""
        if self._kept is None:
            candidate = self.compressor.best
            if candidate is None:
                raise KeyboardInterrupt
            checked = self._attempt(candidate, candidate.snr)
            if self._kept is None and checked and self.options.promises:
                with suppress(CheckError):
                    self._last(candidate, candidate.snr, _shortfall(checked, self.options.promise, _FAR))
        if self._kept is None:
            raise KeyboardInterrupt  # a longer search may well have found one
        found, _ = self._kept
        found.interrupted = True
        found.notes.append("interrupted: this is the best result so far, verified")
        return found

    def _smallest(self, found: Candidate) -> tuple[Graph, int, str]:
        """The graph in the form that is smallest, its size and that form."""
        results = []
        for form in self.forms:
            graph = written(self.compressor.model, found.rounded, form, stays=self.options.stays)
            with TemporaryDirectory() as folder:
                path = Path(folder) / "result.pb"
                size = save(graph, path)
                if self.options.goal == "zip":
                    # An estimate says which form is smaller, but not whether it fits.
                    size = zipped_size(path, exact=self.options.target_size is not None).bytes
            results.append((graph, size, form))
        return min(results, key=lambda each: each[1])

    def _plan(self, found: Candidate, form: str) -> Plan:
        compressor, options, files = self.compressor, self.options, self.files
        return Plan(
            fingerprint(files.source),
            tuple(files.new_inputs),
            tuple(files.outputs),
            str(options.calibrate) if options.calibrate else None,
            compressor.samples.origin,
            found.snr,
            options.keep,
            tuple(map(str, options.schemes)),
            form,
            options.effort,
            stays=options.stays,
            exact_vectors=compressor.model.exact_vectors,
            trellis=any(each.order is not None for each in found.rounded.values()),
            choices=choices(compressor, found, options.schemes),
            engine=options.engine,
        )


def verified(graph: Graph, files: Files, proof: Proof, attempt: int, samples: SampleSets | None = None) -> Verification:
    """A comparison with the original: on the inputs that were put aside, or on fresh ones for each attempt."""
    with TemporaryDirectory() as folder:
        trial = files._replace(out=Path(folder) / "result.pb")
        save(graph, trial.out)
        if samples is None or samples.tests is None or proof.evaluation:
            return proof.verify(trial, attempt)
        return replace(proof.verify(trial, attempt, samples.tests), origin=samples.tests_origin)


def _missing(found: Verification, promised: float, grace: float) -> float:
    """How many dB are missing, on the inputs of the proof or on others; less than 0 where there are some to spare."""
    elsewhere = min(promised - grace - found.snr_low, promised + _ENOUGH - found.snr)
    return max(promised - found.snr, elsewhere)


def _shortfall(found: Verification, promise: Promise, unequal: float, grace: float = math.inf) -> float:
    """How many dB better the search must do to keep the promise; 0 when it is kept.

    Args:
        grace: how many dB less the interval for other inputs may reach down to; as far as it likes when not given.
    """
    missing = max(_missing(found, promise.snr, grace), 0.0)
    differing = any(
        each.agreement is not None and not each.is_ordered and each.agreement.high < promise.agreement
        for each in found.comparisons
    )
    if differing or (found.failures and not missing):
        missing = max(missing, unequal)
    return missing + _MORE if missing else 0.0
