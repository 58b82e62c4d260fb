"""Pieces of work on several cores."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from pbslim.cores import in_parallel, on_cores


@pytest.mark.parametrize("count", [1, 2, 4])
def test_results_come_in_order_wherever_they_are_made(count: int) -> None:
    def work(number: int) -> tuple[int, str]:
        return number * number, threading.current_thread().name

    with on_cores(count):
        found = in_parallel(work, range(40))
        alone = in_parallel(work, [3])
    assert [square for square, _ in found] == [number * number for number in range(40)]
    here = threading.current_thread().name
    assert (here in {name for _, name in found}) == (count == 1)
    assert alone == [(9, here)]
    assert {name for _, name in in_parallel(work, range(3))} == {here}


def test_a_piece_that_asks_for_cores_waits_for_nobody() -> None:
    def inner(number: int) -> str:
        return f"{threading.current_thread().name} {number}"

    with on_cores(2):
        found = in_parallel(lambda _: in_parallel(inner, range(3)), range(8))
    for names in found:
        assert len({name.rpartition(" ")[0] for name in names}) == 1


def test_an_error_is_that_of_the_piece() -> None:
    with on_cores(2), pytest.raises(ZeroDivisionError):
        in_parallel(lambda number: 1 // number, [1, 0, 2])


def test_warnings_of_numpy_stay_off_where_they_are() -> None:
    large = np.full(2, 3e38, np.float32)
    with on_cores(2), np.errstate(over="ignore"):
        found = in_parallel(lambda factor: large * np.float32(factor), [1, 10])
    assert np.isinf(found[1]).all()
