"""The smallest weights that keep a promise, proven on the file that holds them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from pbslim.compression import samples as inputs_of
from pbslim.compression.compressor import Compressor, replayed, written
from pbslim.compression.model import Model
from pbslim.compression.plan import Choice, Plan, fingerprint
from pbslim.compression.promises import PROMISES, Promise
from pbslim.compression.rounding import Rounded
from pbslim.compression.samples import SampleSets
from pbslim.compression.search import Candidate
from pbslim.compression.writing import form_of
from pbslim.engines import engine
from pbslim.engines.allowance import AllowedProgram
from pbslim.errors import CheckError, PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.passes import pipeline
from pbslim.shrinking.proof import Files, Proof
from pbslim.verification import Verification
from pbslim.wire import save

_ATTEMPTS = 4
_MORE = 0.3  # dB beyond what was missing
_UNEQUAL = 1.5  # dB for decisions that changed
_STRUCTURE_TRIES = 3
_FALLBACK = "quantize_weights_per_channel"


@dataclass(frozen=True)
class CompressionOptions:
    """What to compress for.

    Attributes:
        promise: how near the result stays.
        calibrate: an .npz file or folder of inputs; photographs or other generated ones when not given.
        keep: names of constants to leave alone, in which ``*`` stands for anything.
        target: who reads the file; see `pbslim.compression.writing.TARGETS`.
        target_size: bytes that the file may have; the promise then says nothing.
        plan: of an earlier run, to be replayed.
        tell: is told what is done, how much of it is, and of how much.
    """

    promise: Promise = PROMISES["balanced"]
    calibrate: Path | None = None
    keep: tuple[str, ...] = ()
    target: str = "tf2"
    target_size: int | None = None
    plan: Plan | None = None
    tell: Callable[[str, int, int], None] = lambda _what, _done, _all: None


@dataclass
class Compressed:
    """What came of it.

    Attributes:
        graph: with the new weights.
        plan: how each is stored; None where nothing could be measured.
        verification: on inputs that nothing has seen before; None where that is not possible, for the reason in
            `not_verified`.
    """

    graph: Graph
    plan: Plan | None = None
    verification: Verification | None = None
    not_verified: str = ""
    notes: list[str] = field(default_factory=list)


def compress(graph: Graph, files: Files, options: CompressionOptions, proof: Proof | None) -> Compressed:
    """Compress a simplified graph.

    Without a way to run it, or inputs to run it with, weights become eight-bit codes with one step per channel, which
    is the safest choice unseen.

    Args:
        files: the original, and the names of what goes in and out.
        proof: how to compare a result with the original; without it the search alone decides.

    Raises:
        CheckError: no weights in fewer bits keep the promise.
    """
    form = form_of(options.target)
    program = engine("builtin")
    names = files.new_inputs, files.outputs
    try:
        if blocked := program.unsupported(graph, files.outputs):
            raise UsageError(f"the builtin engine cannot run {blocked[0]}")
        samples = _samples(graph, files.new_inputs, options)
        running = program.load(graph)
        if not options.calibrate:  # nobody has asked to run it
            running = AllowedProgram(running, files.source.stat().st_size)
        model = Model.of(graph, running, *names, keep=options.keep)
        if options.plan:
            return _replayed(model, samples, options.plan, form, files, proof)
        compressor = Compressor.of(model, samples, options.tell) if model.sites else None
    except CheckError:
        raise
    except PbslimError as error:
        if options.calibrate or options.plan:
            raise
        pipeline.run(graph, pipeline.plan(_FALLBACK).steps, *names)
        return Compressed(graph, not_verified=str(error))
    if compressor is None:
        return Compressed(graph, notes=["no weights of 256 or more elements that could be stored in fewer bits"])
    return _Attempts(compressor, samples, form, files, options, proof).best()


def _samples(graph: Graph, inputs: Sequence[str], options: CompressionOptions) -> SampleSets:
    calibrate = Path(options.plan.calibrate) if options.plan and options.plan.calibrate else options.calibrate
    return inputs_of.given(calibrate, graph, inputs) if calibrate else inputs_of.generated(graph, inputs)


def _replayed(
    model: Model, samples: SampleSets, plan: Plan, form: str, files: Files, proof: Proof | None
) -> Compressed:
    if plan.model != fingerprint(files.source):
        raise UsageError(f"the plan is for another file than '{files.source}' (SHA-256 {plan.model[:12]}…)")
    missing = [name for name in plan.coarseness if name not in model.names]
    if missing:
        raise UsageError(f"the plan names '{missing[0]}', which is not a weight of '{files.source}'")
    graph = written(model, replayed(model, samples, plan.coarseness), form)
    return Compressed(graph, plan, _verified(graph, files, proof, 0) if proof else None)


class _Attempts:
    """Searches, writes, proves, and tightens until the proof holds."""

    def __init__(
        self,
        compressor: Compressor,
        samples: SampleSets,
        form: str,
        files: Files,
        options: CompressionOptions,
        proof: Proof | None,
    ) -> None:
        self._compressor, self._samples, self._form = compressor, samples, form
        self._files, self._options, self._proof = files, options, proof

    def best(self) -> Compressed:
        """The smallest result that was found to keep the promise.

        Raises:
            CheckError: there is none.
        """
        if self._options.target_size is not None:
            return self._fitted(self._options.target_size)
        wanted = self._options.promise.snr
        found: Candidate | None = None
        for attempt in range(_ATTEMPTS):
            found = self._compressor.compress(wanted, found)
            result = self._result(found, attempt)
            short = _shortfall(result.verification, self._options.promise) if result.verification else 0.0
            if not short:
                return result
            wanted += short
        raise CheckError(
            f"no weights in fewer bits keep {self._options.promise.snr:g} dB on inputs that were not used before; "
            "ask for less, or give real inputs with --calibrate"
        )

    def _fitted(self, size: int) -> Compressed:
        """The best result of no more bytes."""
        room = float(size)
        for _ in range(_STRUCTURE_TRIES):
            found = self._compressor.fit(room)
            with TemporaryDirectory() as folder:
                taken = save(written(self._compressor.model, found.rounded, self._form), Path(folder) / "result.pb")
            if taken <= size:
                return self._result(found, 0)
            room -= (taken - size) * 1.02
            if room <= 0:
                break
        raise CheckError(f"the file cannot be made as small as {size} bytes: its structure alone takes more")

    def _result(self, found: Candidate, attempt: int) -> Compressed:
        graph = written(self._compressor.model, found.rounded, self._form)
        plan = self._plan(found)
        if self._proof is None:
            return Compressed(graph, plan, notes=list(self._samples.notes))
        self._options.tell(f"verifying, attempt {attempt + 1}", 0, 1)
        return Compressed(
            graph, plan, _verified(graph, self._files, self._proof, attempt), notes=list(self._samples.notes)
        )

    def _plan(self, found: Candidate) -> Plan:
        options, files = self._options, self._files
        return Plan(
            fingerprint(files.source),
            tuple(files.new_inputs),
            tuple(files.outputs),
            str(options.calibrate) if options.calibrate else None,
            self._samples.origin,
            found.snr,
            options.keep,
            tuple(self._choice(found, name, each) for name, each in found.rounded.items()),
        )

    def _choice(self, found: Candidate, name: str, rounded: Rounded) -> Choice:
        site, sensitivity = self._compressor.model.site(name), self._compressor.sensitivities[name]
        coarseness = found.coarseness[name]
        per_square = float(sensitivity.noise.max(initial=0)) / max(sensitivity.coarseness, 1e-9) ** 2
        form = "float16" if rounded.steps is None else "int8"
        bits = rounded.bits / max(site.size, 1)
        return Choice(name, site.kind, site.size, coarseness, form, bits, per_square * coarseness**2)


def _verified(graph: Graph, files: Files, proof: Proof, attempt: int) -> Verification:
    """A comparison with the original, on fresh inputs for each attempt."""
    with TemporaryDirectory() as folder:
        trial = files._replace(out=Path(folder) / "result.pb")
        save(graph, trial.out)
        return proof.verify(trial, seed=attempt)


def _shortfall(found: Verification, promise: Promise) -> float:
    """How many dB better the search must do to keep the promise; 0 when it is kept."""
    missing = max(promise.snr - found.snr, 0.0)
    unequal = any(
        each.agreement is not None and not each.is_ordered and each.agreement.high < promise.agreement
        for each in found.comparisons
    )
    if found.failures or unequal:
        missing = max(missing, _UNEQUAL)
    return missing + _MORE if missing else 0.0
