"""The inputs that a compression is made with: some to measure moments on, others to search on, never mixed.

What proves the result comes from yet other sources; see `pbslim.verification`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from pbslim.errors import UsageError
from pbslim.ir import Graph
from pbslim.ir.tensors import Array
from pbslim.verification import photographs
from pbslim.verification.feeds import Samples, generate_samples
from pbslim.verification.given import read_samples

_CALIBRATION, _VALIDATION, _PROBES = 48, 32, 8
_SEARCHED = 4
"""Photographs of those for calibration that the search looks at."""

Batch = dict[str, Array]


@dataclass(frozen=True)
class SampleSets:
    """Batches for each purpose.

    Attributes:
        calibration: for the moments of the inputs of each layer; empty where nothing natural is known. Noise is worse
            than not to look at inputs at all.
        validation: for the search.
        probes: single samples, for the sensitivity of each site.
        origin: what they are, in a few words.
    """

    calibration: Sequence[Batch]
    validation: Sequence[Batch]
    probes: Sequence[Batch]
    origin: str
    notes: Sequence[str] = ()


def generated(graph: Graph, inputs: Sequence[str], seed: int = 0) -> SampleSets:
    """Photographs, where images are asked for, or other values that fit.

    Raises:
        UsageError: the type of an input is not known.
    """
    pictures = photographs.calibration()
    measured, searched = pictures[:-_SEARCHED], pictures[-_SEARCHED:]
    calibration = generate_samples(graph, inputs, samples=_CALIBRATION, seed=3 * seed + 1, pictures=lambda: measured)
    validation = generate_samples(graph, inputs, samples=_VALIDATION, seed=3 * seed + 2, pictures=lambda: searched)
    natural = "photographs" in calibration.origin
    return _sets(calibration.batches if natural else (), validation)


def given(path: Path, graph: Graph, inputs: Sequence[str]) -> SampleSets:
    """The inputs in a file or folder, every third of them for the search.

    Raises:
        UsageError: it cannot be read, or holds fewer than two samples.
    """
    found = read_samples(path, graph, inputs)
    singles = [single for batch in found.batches for single in split(batch)]
    if len(singles) < 2:
        raise UsageError(f"'{path}' holds one sample; a calibration needs two at least, and gets better with many")
    searched = Samples(singles[::3], found.origin, found.notes)
    return _sets([single for number, single in enumerate(singles) if number % 3], searched)


def _sets(calibration: Sequence[Batch], validation: Samples) -> SampleSets:
    singles = [single for batch in validation.batches for single in split(batch)]
    step = max(len(singles) // _PROBES, 1)
    return SampleSets(calibration, validation.batches, singles[::step][:_PROBES], validation.origin, validation.notes)


def split(batch: Batch) -> list[Batch]:
    """The samples of a batch one by one, where all its inputs have the same number of them."""
    sizes = {len(array) for array in batch.values() if array.ndim}
    if len(sizes) != 1:
        return [batch]
    return [
        {name: array[place : place + 1] if array.ndim else array for name, array in batch.items()}
        for place in range(sizes.pop())
    ]
