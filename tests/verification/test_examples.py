"""Samples on which two graphs decide differently."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest

import pbslim
from pbslim.verification.compare import compare_files
from pbslim.verification.examples import find_examples, picture
from pbslim.verification.metrics import Array, Kind
from tests.graphs import parse


def found(first: Array, second: Array, kind: Kind, batches: list[dict[str, Array]], count: int = 9) -> list[int]:
    return [each.number for each in find_examples("y", kind, (first, second), (first, second), batches, count)]


def test_samples_that_change_most_come_first() -> None:
    first = np.arange(24).reshape(4, 6)
    second = first.copy()
    second[1, 0] = second[3, :3] = second[2, :2] = -1
    batches: list[dict[str, Array]] = [{"x": np.zeros((3, 2))}, {"x": np.zeros((1, 2))}]
    assert found(first, second, Kind.CODES, batches) == [3, 2, 1]
    assert found(first, second, Kind.CODES, batches, count=1) == [3]
    assert found(first, first, Kind.CODES, batches) == []
    assert found(first, second, Kind.VALUES, batches) == []
    assert found(first, second, Kind.CODES, batches[:1]) == []  # no entry per sample


def test_an_example_says_what_each_graph_decides() -> None:
    first, second = np.array([[0.9, 0.1], [0.6, 0.4]]), np.array([[0.8, 0.2], [0.3, 0.7]])
    batches: list[dict[str, Array]] = [{"x": np.array([b"one", b"two \xff"], object)}]
    (one,) = find_examples("y", Kind.SCORES, (first, second), (first, second), batches, 4)
    assert (one.number, one.first, one.second, one.text) == (1, "0", "1", "two \ufffd")
    assert (one.first_score, one.second_score) == (0.6, 0.7)
    (yes,) = find_examples(
        "y", Kind.CHANCES, (first[:, :1] - 0.5, second[:, :1] - 0.5), (first[:, :1], second[:, :1]), batches, 4
    )
    assert (yes.first, yes.second, yes.second_score) == ("yes", "no", 0.3)


@pytest.mark.parametrize(
    ("shape", "size"), [((192, 96, 3), (48, 96)), ((3, 40, 20), (20, 40)), ((20, 20, 1), (20, 20)), ((9, 9, 4), (9, 9))]
)
def test_pictures_are_small_png_files(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    image = pytest.importorskip("PIL.Image")
    made = picture(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    with image.open(io.BytesIO(made)) as opened:
        assert opened.size == size
        values = np.asarray(opened)
    assert (values.min(), values.max()) == (0, 255)


@pytest.mark.parametrize("shape", [(20, 20), (20, 20, 5), (4, 4, 3), (20,)])
def test_other_arrays_are_no_pictures(shape: tuple[int, ...]) -> None:
    assert picture(np.zeros(shape, np.float32)) == b""


def test_a_comparison_keeps_examples_where_they_are_asked_for(tmp_path: Path) -> None:
    text = """
        x = Placeholder(shape=[-1, 16, 16, 3])
        a = Const([1, 2], dtype='int32')
        m = Mean(x, a)
        b = Const(BIAS)
        s = Add(m, b)
        y = Softmax(s)
        -> y
    """
    paths = tmp_path / "a.pb", tmp_path / "b.pb"
    for path, bias in zip(paths, ("[0, 0, 0]", "[0, 0.02, 0]"), strict=True):
        pbslim.save(parse(text.replace("BIAS", bias))[0], path)
    plain = compare_files(*paths, engine="builtin")
    asked = compare_files(*paths, engine="builtin", examples=3)
    assert plain.examples == []
    assert plain.agreement
    changed = round((1 - plain.agreement.share) * plain.samples)
    assert len(asked.examples) == min(changed, 3) > 0
    for each in asked.examples:
        assert each.first != each.second == "1"
        assert each.picture.startswith(b"\x89PNG")
