"""Given inputs for each purpose."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbslim.compression.effort import EFFORTS, Effort
from pbslim.compression.samples import generated, given, split
from pbslim.compression.variations import can_be_varied, variations
from pbslim.errors import UsageError
from pbslim.ir import Graph
from tests.graphs import parse

EFFORT = EFFORTS["least"]


def graph_of(shape: list[int], dtype: str = "float") -> Graph:
    return parse(f"x = Placeholder(dtype='{dtype}', shape={[-1, *shape]})\ny = Neg(x)\n-> y")[0]


def saved(folder: Path, values: np.ndarray) -> Path:
    np.savez(folder / "given.npz", x=values)
    return folder / "given.npz"


def test_many_inputs_are_divided(tmp_path: Path) -> None:
    values = np.arange(64, dtype=np.float32).repeat(40 * 20).reshape(64, 40, 20)
    effort = Effort(calibration=64, validation=64)
    sets = given(saved(tmp_path, values), graph_of([40, 20]), ["x"], effort)
    assert sets.tests is not None
    parts = [
        {int(single["x"][0, 0, 0]) for batch in each for single in split(batch)}
        for each in (sets.calibration, sets.validation, [sets.tests])
    ]
    assert [len(part) for part in parts] == [32, 16, 16]
    assert len(set.union(*parts)) == 64


def test_a_few_inputs_are_varied(tmp_path: Path) -> None:
    values = np.random.default_rng(0).normal(size=(3, 40, 20)).astype(np.float32)
    sets = given(saved(tmp_path, values), graph_of([40, 20]), ["x"], EFFORT)
    assert sets.tests is not None
    assert "3 inputs are few" in sets.notes[0]
    assert sets.tests_origin == "variations of the given inputs"
    assert len(sets.calibration) > len(values)
    assert not any(np.array_equal(value, one) for value in sets.tests["x"] for one in values)
    assert values.min() <= sets.tests["x"].min() <= sets.tests["x"].max() <= values.max()


@pytest.mark.parametrize(
    ("arrays", "reason"),
    [
        ({"x": np.full((3, 8, 8, 1), np.nan, np.float32)}, "'x' in .* has NaN or infinite values"),
        ({"x": np.full((3, 8, 8, 1), -np.inf, np.float32)}, "'x' in .* has NaN or infinite values"),
        ({"x": np.zeros((1, 8, 8, 1), np.float32)}, "holds 1 sample; a calibration needs two"),
        ({"x": np.zeros((0, 8, 8, 1), np.float32)}, "holds 0 samples; a calibration needs two"),
        ({"x": np.zeros((3, 8)), "y": np.zeros((2, 8))}, "different numbers of samples: 'x' 3, 'y' 2"),
        ({}, "holds 0 samples"),
        ({"x": np.ones((3, 8, 8, 1), np.float32)}, "all samples in .* are the same"),
    ],
)
def test_what_cannot_be_calibrated_with(arrays: dict[str, Any], reason: str, tmp_path: Path) -> None:
    np.savez(tmp_path / "given.npz", **arrays)
    with pytest.raises(UsageError, match=reason):
        given(tmp_path / "given.npz", graph_of([8, 8, 1]), ["x"], EFFORT)


@pytest.mark.parametrize(
    "array",
    [
        np.ones((1, 16, 16, 3), np.bool_),
        np.ones((1, 16, 16, 3), np.complex64),
        np.full((1, 16, 16, 3), b"a", object),
        np.ones((1, 16, 0, 3), np.float32),
    ],
)
def test_masks_words_and_nothing_are_no_pictures(array: np.ndarray) -> None:
    assert not can_be_varied({"x": array})


def test_batches_of_a_fixed_size_stay_whole(tmp_path: Path) -> None:
    graph, _ = parse("x = Placeholder(dtype='float', shape=[3, 20])\ny = Neg(x)\n-> y")
    values = np.random.default_rng(0).normal(size=(12, 20)).astype(np.float32)
    for sets in (generated(graph, ["x"], EFFORTS["low"]), given(saved(tmp_path, values), graph, ["x"], EFFORT)):
        used = [*sets.calibration, *sets.validation, *sets.probes]
        assert used
        assert {batch["x"].shape for batch in used} == {(3, 20)}


def test_single_numbers_beside_pictures_stay() -> None:
    samples: list[dict[str, Any]] = [
        {"x": np.random.default_rng(i).random((1, 16, 16, 3)), "share": np.array(0.5 + i)} for i in range(2)
    ]
    assert [float(each["share"]) for each in variations(samples, 4, seed=1)] == [0.5, 1.5, 0.5, 1.5]


def test_ids_are_not_varied(tmp_path: Path) -> None:
    values = np.arange(3 * 40, dtype=np.int32).reshape(3, 40)
    sets = given(saved(tmp_path, values), graph_of([40], "int32"), ["x"], EFFORT)
    assert sets.tests is None
    assert sum(len(batch["x"]) for batch in [*sets.calibration, *sets.validation]) == 3


@pytest.mark.parametrize(
    ("shape", "dtype"), [((16, 16, 3), np.uint8), ((16, 24, 1), np.float32), ((60, 9), np.float32)]
)
def test_variations_are_alike_but_new(shape: tuple[int, ...], dtype: type) -> None:
    samples: list[dict[str, Any]] = [
        {"x": np.random.default_rng(i).integers(0, 256, (1, *shape)).astype(dtype)} for i in range(2)
    ]
    assert can_be_varied(samples[0])
    made = [each["x"] for each in variations(samples, 6, seed=1)]
    assert {(each.shape, each.dtype) for each in made} == {((1, *shape), np.dtype(dtype))}
    assert len({each.tobytes() for each in made}) == 6
    assert all(abs(float(each.mean()) - 127) < 30 for each in made)
    again = variations(samples, 6, seed=1)
    assert all(np.array_equal(each["x"], one) for each, one in zip(again, made, strict=True))


@pytest.mark.parametrize(("batch", "huge", "sizes"), [(-1, 0, [4, 4]), (-1, 1 << 30, [1] * 8), (1, 0, [1] * 8)])
def test_probes_run_together_where_that_spares_reading(
    batch: int, huge: int, sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    graph = parse(f"x = Placeholder(shape={[batch, 3]})\nw = Const([[1.0], [2.0], [3.0]])\ny = MatMul(x, w)\n-> y")[0]
    monkeypatch.setattr("pbslim.compression.evaluation._HUGE", huge)
    sets = generated(graph, ["x"])
    assert [len(probe["x"]) for probe in sets.probes] == sizes
