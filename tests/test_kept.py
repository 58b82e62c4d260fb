"""Arrays that are kept in memory or in a file."""

from __future__ import annotations

import errno
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from pbslim import kept
from pbslim.errors import PbslimError
from pbslim.kept import Kept

CASES: dict[str, list[tuple[int, ...]]] = {
    "samples come first": [(2, 3, 4), (2, 3, 4), (1, 3, 4)],
    "samples do not come first": [(3, 4), (3, 4), (3, 4)],
    "as many rows as are found": [(5, 4), (0, 4), (3, 4)],
    "single numbers": [(), (), ()],
    "nothing in common": [(2, 3), (2, 4), (2,)],
    "nothing at all": [(2, 0), (2, 0), (1, 0)],
}
STACKED = {
    "samples come first": (5, 3, 4),
    "samples do not come first": (3, 3, 4),
    "as many rows as are found": (8, 4),
    "single numbers": (3,),
    "nothing in common": (16, 1),
    "nothing at all": (5, 0),
}


def _arrays(shapes: Sequence[tuple[int, ...]]) -> list[np.ndarray[Any, Any]]:
    random = np.random.default_rng(0)
    return [np.asarray(random.standard_normal(shape), np.float32) for shape in shapes]


@pytest.mark.parametrize("large", [0, 40, 1 << 16], ids=["all in a file", "some in a file", "none in a file"])
@pytest.mark.parametrize("case", CASES)
def test_values_come_back_as_they_were(case: str, large: int) -> None:
    arrays, values = _arrays(CASES[case]), Kept(large)
    for array in arrays:
        values.append(array)
    assert len(values) == len(arrays)
    assert all(np.array_equal(one, other) for one, other in zip(arrays, values, strict=True))
    found = values.stacked([2, 2, 1])
    assert found.shape == STACKED[case]
    assert np.array_equal(found.reshape(-1), np.concatenate([array.reshape(-1) for array in arrays]))


def test_types_that_differ_are_joined_as_numpy_does() -> None:
    values = Kept(0)
    for array in (np.ones((2, 3), np.float32), np.arange(6.0).reshape(3, 2).T, np.array([[b"a"] * 3] * 2, object)):
        values.append(array)
    assert [array.dtype for array in values] == [np.float32, np.float64, object]
    assert np.array_equal(values[1], [[0, 2, 4], [1, 3, 5]])
    assert values.stacked([2, 2, 2]).shape == (6, 3)


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def full(**_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(kept, "TemporaryFile", full)
    with pytest.raises(PbslimError, match="no room for a temporary file: No space left on device"):
        Kept().append(np.zeros(1 << 16))
