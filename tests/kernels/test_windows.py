"""Where windows lie, and convolutions that are computed in many small parts."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from pbslim.kernels import evaluate
from pbslim.kernels.registry import Attributes
from pbslim.kernels.windows import Windows
from tests.kernels.operands import F4, Case, numbers
from tests.kernels.transposed_cases import transposed
from tests.kernels.window_cases import sizes, volumes, windows

CONVOLUTIONS = [each for family in (windows, sizes, volumes, transposed) for each in family() if "Conv" in each.op]
SMALL = [each for each in CONVOLUTIONS if each.operands[0].size < 4000 and each.operands[1].dtype != np.int32]


@pytest.mark.parametrize("block", [1, 50, 400])
def test_parts_of_any_size_give_the_same(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [evaluate(each.op, each.attrs, each.operands)[0] for each in SMALL]
    monkeypatch.setattr("pbslim.kernels.convolutions._BLOCK", block)
    monkeypatch.setattr("pbslim.kernels.convolutions._TILE", block)
    monkeypatch.setattr("pbslim.kernels.transposed._BLOCK", block)
    for each, whole in zip(SMALL, expected, strict=True):
        [parts] = evaluate(each.op, each.attrs, each.operands)
        eps = 2e-2 if whole.dtype.itemsize == 2 else 1e-5
        largest = np.abs(whole.astype(np.float64)).max(initial=0)
        np.testing.assert_allclose(
            parts.astype(np.float64), whole.astype(np.float64), 0, eps * largest, err_msg=str(each)
        )


@pytest.mark.parametrize(
    "each", [each for each in volumes() if each.operands[0].dtype == F4 and each.operands[0].size], ids=str
)
def test_channels_of_volumes_may_come_first(each: Case) -> None:
    """TensorFlow's CPU kernels take NDHWC only, so they cannot tell."""

    def moved(values: tuple[int, ...]) -> tuple[int, ...]:
        return (values[0], values[4], *values[1:4])

    attrs = {key: moved(value) if key in ("strides", "ksize") else value for key, value in each.attrs.items()}
    x, *others = each.operands
    first = evaluate(each.op, {**attrs, "data_format": b"NCDHW"}, [np.moveaxis(x, -1, 1), *others])[0]
    assert np.array_equal(np.moveaxis(first, 1, -1), evaluate(each.op, each.attrs, each.operands)[0])


@pytest.mark.parametrize("padding", ["SAME", "VALID"])
@pytest.mark.parametrize(("size", "stride", "dilation"), [*itertools.product([1, 2, 5], [1, 2, 3], [1, 2])])
def test_windows_hold_what_they_should(padding: str, size: int, stride: int, dilation: int) -> None:
    """Each way to get at the elements finds the same ones."""
    image = np.arange(1, 13, dtype=F4).reshape(1, 12, 1)
    attrs = Attributes({"padding": padding})
    places = Windows.of(attrs, (1, 12, 1), [size], strides=[stride], dilations=[dilation], data_format="NWC")
    [axis] = places.axes
    padded = np.pad(image[0, :, 0], (axis.before, 99))
    expected = np.array([[padded[w * stride + k * dilation] for k in range(size)] for w in range(axis.count)])
    for limit in (1, 2, 100):
        boxes = list(places.boxes(1, limit))
        found = [places.view(places.region(image, box), box).reshape(-1, size) for box in boxes]
        assert np.array_equal(np.concatenate(found), expected)
    seen = np.zeros_like(expected)
    for k in axis.elements():
        ours, elements = axis.inside(k)
        seen[ours, k] = image[0, elements, 0]
    assert np.array_equal(seen, expected)


def test_boxes_cover_everything_once() -> None:
    attrs = Attributes({"padding": "SAME"})
    places = Windows.of(attrs, (3, 4, 5, 2), [1, 1], strides=[1, 1])
    for limit in (1, 3, 5, 12, 20, 40, 1000):
        order = np.arange(3 * 4 * 5).reshape(3, 4, 5)
        found = [order[box].reshape(-1) for box in places.boxes(3, limit)]
        assert np.array_equal(np.concatenate(found), order.reshape(-1))
        assert max(map(len, found)) <= limit
    assert not list(places.boxes(0, 7))


def test_depthwise_filters_do_not_grow_with_the_image() -> None:
    """Repeated for each pixel of a wide row, they would be larger than the image."""
    x, filters = numbers(F4, 1, 2, 5000, 8), numbers(F4, 2, 3, 8, 1)
    attrs = {"strides": (1, 1, 1, 1), "padding": b"VALID"}
    [found] = evaluate("DepthwiseConv2dNative", attrs, [x, filters])
    expected = sum(x[:, i : i + 1, j : j + 4998] * filters[i, j, :, 0] for i in range(2) for j in range(3))
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-5)
