"""The inputs that a compression is made with: some to measure moments on, others to search on, never mixed.

What proves the result comes from yet other sources; see `pbslim.verification`.
"""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from pbslim.compression.effort import EFFORTS, Effort
from pbslim.compression.evaluation import has_huge_constant
from pbslim.compression.variations import Batch, can_be_varied, variations
from pbslim.engines import Feeds
from pbslim.errors import UsageError, counted
from pbslim.ir import Graph
from pbslim.verification import photographs
from pbslim.verification.batches import kept
from pbslim.verification.feeds import INDICES, PHOTOGRAPHS, SIGNALS, Pictures, Samples, fixed_batch, generate_samples
from pbslim.verification.given import read_samples, require_different

_SEARCHED = 4
"""The search looks at one in so many photographs of those for calibration; the moments are measured on the others."""
_MOST_GIVEN = 4  # times as many as would be generated
_TOGETHER = 4  # probes that run at once where that spares to read a huge constant for each
_PURPOSE = "calibration"
_LEAST_TESTS, _VARIED_TESTS = 8, 32


@dataclass(frozen=True)
class SampleSets:
    """Batches for each purpose.

    Attributes:
        calibration: for the moments of the inputs of each layer; empty where nothing is known of the inputs, as noise
            is worse than not to look at inputs at all. Those of signals are of two kinds, and the search looks at one
            of them: moments of a kind alone would suit little else.
        validation: for the search.
        probes: for the sensitivity of each site, single samples or, in a graph with a huge constant, a few at once.
        origin: what they are, in a few words.
        tests: given inputs that neither measurement nor search may see, all samples of each in one array; None where
            inputs are generated, as fresh ones are made then. `tests_origin` says what they are.
    """

    calibration: Sequence[Batch]
    validation: Sequence[Batch]
    probes: Sequence[Batch]
    origin: str
    notes: Sequence[str] = ()
    tests: Batch | None = None
    tests_origin: str = ""


def generated(graph: Graph, inputs: Sequence[str], effort: Effort = EFFORTS["normal"]) -> SampleSets:
    """Photographs, where images are asked for, or other values that fit.

    Raises:
        UsageError: the type of an input is not known.
    """
    measured = _measured(graph, inputs, effort)
    validation = generate_samples(graph, inputs, samples=effort.validation, seed=2, pictures=_for_search)
    validation = replace(validation, batches=kept(validation.batches))  # each is looked at many times
    return _sets(measured, validation, singles_of(validation.batches, graph, inputs), effort, _together(graph, inputs))


def _measured(graph: Graph, inputs: Sequence[str], effort: Effort) -> Sequence[Batch]:
    """Batches to measure moments on, where something is known of the inputs."""
    made = generate_samples(graph, inputs, samples=effort.calibration, seed=1, pictures=_for_moments, varied=True)
    is_known = made.origin == INDICES or any(what in made.origin for what in (PHOTOGRAPHS, SIGNALS))
    return made.batches if is_known else ()


def _for_moments() -> Pictures:
    return [picture for number, picture in enumerate(photographs.calibration(), 1) if number % _SEARCHED]


def _for_search() -> Pictures:
    return photographs.calibration()[_SEARCHED - 1 :: _SEARCHED]


def given(path: Path, graph: Graph, inputs: Sequence[str], effort: Effort = EFFORTS["normal"]) -> SampleSets:
    """The inputs in a file or folder: half of them to measure, a quarter to search on, a quarter to test the result.

    With fewer than 32 there are none left for a test. Variations of them are made then for all three purposes, if
    possible, and the generated inputs are measured as well.

    Raises:
        UsageError: it cannot be read, or does not hold two samples of finite numbers.
    """
    found = read_samples(path, graph, inputs, purpose=_PURPOSE)
    found = replace(found, batches=[*found.batches])
    singles = singles_of(found.batches, graph, inputs)
    _require_samples(path, found.batches, singles)
    is_enough = len(singles) >= 4 * _LEAST_TESTS
    tested, tests_origin = singles[3::4] if is_enough else [], "the given inputs"
    left = [single for number, single in enumerate(singles) if not tested or number % 4 != 3]
    measured, searched = [single for number, single in enumerate(left) if number % 3], left[::3]
    if is_enough or not can_be_varied(singles[0]):
        measured, searched = _evenly(measured, effort.calibration), _evenly(searched, effort.validation)
    else:
        found.notes.append(
            f"{counted(len(singles), 'input')} are few: variations of them, and others, are used as well"
        )
        measured = [
            *measured,
            *variations(measured, 2 * effort.calibration, 1),
            *_measured(graph, inputs, effort),
        ]
        searched += variations(searched, effort.validation, 2)
        tested, tests_origin = variations(singles, _VARIED_TESTS, 3), "variations of the given inputs"
    sets = _sets(measured, Samples(searched, found.origin, found.notes), searched, effort, _together(graph, inputs))
    return replace(sets, tests=_joined(tested) if tested else None, tests_origin=tests_origin)


def singles_of(batches: Sequence[Batch], graph: Graph, inputs: Sequence[str]) -> list[Batch]:
    """Single samples; whole batches for a graph that takes no others."""
    if any((fixed_batch(graph, name) or 1) > 1 for name in inputs):
        return [*batches]
    return [single for batch in batches if batch for single in split(batch)]


def _require_samples(path: Path, batches: Sequence[Batch], found: Sequence[Batch]) -> None:
    """Refuse what nothing can be learned from."""
    if len(found) > 1:
        require_different(found, f"'{path}'", _PURPOSE)
        return
    sizes = {name: len(array) for name, array in batches[0].items() if array.ndim}
    if len(set(sizes.values())) > 1:
        told = ", ".join(f"'{name}' {size}" for name, size in sizes.items())
        raise UsageError(f"the arrays in '{path}' have different numbers of samples: {told}")
    raise UsageError(
        f"'{path}' holds {counted(len(found), 'sample')}; a calibration needs two at least, and gets better with many"
    )


def _evenly(samples: list[Batch], count: int) -> list[Batch]:
    """Some of `samples`, no more than a few times `count`."""
    return samples[:: -(-len(samples) // (_MOST_GIVEN * count)) or 1]


def _joined(samples: Sequence[Batch]) -> Batch:
    first = samples[0]
    return {
        name: np.concatenate([each[name] for each in samples]) if first[name].ndim else first[name] for name in first
    }


def _together(graph: Graph, inputs: Sequence[str]) -> int:
    """How many probes run at once."""
    is_free = all(fixed_batch(graph, name) is None for name in inputs)
    return _TOGETHER if is_free and has_huge_constant(graph) else 1


def _sets(
    calibration: Sequence[Batch], validation: Samples, singles: Sequence[Batch], effort: Effort, together: int
) -> SampleSets:
    step = max(len(singles) // max(effort.probes, 1), 1)
    probes = singles[::step][: effort.probes]
    if all(len(array) == 1 for probe in probes for array in probe.values() if array.ndim):
        probes = [_joined(probes[at : at + together]) for at in range(0, len(probes), together)]
    return SampleSets(calibration, validation.batches, probes, validation.origin, validation.notes)


def split(batch: Batch) -> list[Batch]:
    """The samples of a batch one by one, where all its inputs have the same number of them."""
    sizes = {len(array) for array in batch.values() if array.ndim}
    if len(sizes) != 1:
        return [batch]
    return [
        {name: array[place : place + 1] if array.ndim else array for name, array in batch.items()}
        for place in range(sizes.pop())
    ]


def checksum(sample: Feeds) -> int:
    """A number that samples have of their own, so that it does not matter in which order they run."""
    found = 0
    for value in sample.values():
        array = np.asarray(value)
        found = zlib.crc32(repr(array.tolist()).encode() if array.dtype.hasobject else array.tobytes(), found)
    return found
