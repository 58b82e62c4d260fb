"""Constants that are shorter in the file than their shape."""

from __future__ import annotations

import numpy as np
import pytest

import pbslim
from pbslim.analysis.equality import distance, same_tensor
from pbslim.dtypes import DTYPES, FLOAT, QUINT8, DType
from pbslim.errors import DecodeError
from pbslim.ir import ArrayTensor, AttrValue, Graph, RepeatedTensor, SplatTensor, Tensor
from pbslim.ir.tensors import Array, ElementwiseTensor
from pbslim.wire import load, to_bytes

TYPES = {t.name: t for t in DTYPES.values()}
HUGE = (1 << 14, (1 << 14) - 1)


def repeated(values: list[float], shape: tuple[int, ...], dtype: DType = FLOAT) -> RepeatedTensor:
    return RepeatedTensor(np.array(values).astype(dtype.numpy), dtype, shape)


def graph_of(tensor: Tensor) -> Graph:
    graph = Graph()
    graph.add("w", "Const", attrs={"dtype": tensor.dtype, "value": tensor})
    return graph


def written(tensor: Tensor) -> tuple[int, Tensor]:
    content = to_bytes(graph_of(tensor))
    return len(content), load(content)["w"].tensor()


@pytest.mark.parametrize("multiple_of", [1, 7])
@pytest.mark.parametrize("count", [2, 300_000])
def test_the_last_value_fills_the_shape(count: int, multiple_of: int) -> None:
    values = np.arange(count, dtype=np.float32)
    tensor = RepeatedTensor(values, FLOAT, (1000, 700))
    expected = np.r_[values, np.full(700_000 - count, count - 1, np.float32)]
    np.testing.assert_array_equal(np.concatenate([*tensor.chunks(multiple_of)]), expected)
    np.testing.assert_array_equal(tensor.reshaped((700, 1000)).numpy(), expected.reshape(700, 1000))
    assert tensor.stored_nbytes == 4 * count
    assert tensor.mapped(np.negative).numpy().min() == 1 - count


@pytest.mark.parametrize(
    "name",
    [
        *("float", "double", "half", "bfloat16", "int32", "int64", "uint8", "int8", "uint32", "uint64", "bool"),
        *("complex64", "complex128", "quint8", "qint32", "float8_e5m2", "int4"),
    ],
)
@pytest.mark.parametrize("values", [[1], [1, 0], [0, 1, 1, 0]])
def test_it_is_written_as_short_as_it_is(name: str, values: list[float]) -> None:
    tensor = repeated(values, (9999, 10), TYPES[name])
    size, back = written(tensor)
    assert size < 160
    assert back.listed
    assert same_tensor(back, tensor)
    assert back.numpy().shape == (9999, 10)


def test_a_list_that_is_hardly_shorter_is_read_as_well() -> None:
    size, back = written(repeated([*range(30)], (31,)))
    assert size < 200
    assert back.numpy().tolist() == [*range(30), 29]


def test_what_is_too_large_is_never_expanded() -> None:
    tensor = repeated([1, 2], HUGE)
    with pytest.raises(DecodeError, match="repeats a value 268419070 times"):
        tensor.numpy()
    assert same_tensor(tensor, repeated([1, 2], HUGE))
    assert not same_tensor(tensor, SplatTensor(np.float32(1), FLOAT, HUGE))
    assert distance(tensor, SplatTensor(np.float32(1), FLOAT, HUGE)) == (1, 2)


@pytest.mark.parametrize("other", [[1, 2, 2], [1, 2, 2, 3], [1, 3]])
def test_short_forms_are_compared_to_the_end(other: list[float]) -> None:
    same = repeated(other, (9,)).numpy().tolist() == repeated([1, 2], (9,)).numpy().tolist()
    assert same_tensor(repeated(other, (9,)), repeated([1, 2], (9,))) is same
    assert same_tensor(repeated(other, (9,)), ArrayTensor(repeated([1, 2], (9,)).numpy())) is same


@pytest.mark.parametrize("transform", ["round_weights", "quantize_weights", "quantize_weights(minimum_size=1)"])
def test_transforms_of_weights_leave_it_short(transform: str) -> None:
    graph = graph_of(repeated([1, 2], HUGE))
    pbslim.transform(graph, transform, [], ["w"])
    assert len(to_bytes(graph)) < 500
    if "quantize" in transform:
        codes = graph["w_quantized_const"].tensor()
        assert (codes.dtype, codes.shape) == (QUINT8, HUGE)
        assert codes.stored_nbytes == 2


@pytest.mark.parametrize(
    "short", [SplatTensor(np.float32(1), FLOAT, (1, 1, 512, 512)), repeated([1, 2], (1, 1, 512, 512))]
)
def test_no_scale_goes_into_weights_that_are_a_few_values(short: Tensor) -> None:
    graph = graph_of(short)
    x = graph.add("x", "Placeholder", attrs={"dtype": FLOAT})
    scale = graph.add("s", "Const", attrs={"dtype": FLOAT, "value": ArrayTensor(np.ones(512, np.float32))})
    attrs: dict[str, AttrValue] = {"T": FLOAT, "strides": (1, 1, 1, 1), "padding": b"SAME"}
    conv = graph.add("c", "Conv2D", [x.output(), graph["w"].output()], attrs)
    graph.add("y", "Mul", [conv.output(), scale.output()], {"T": FLOAT})
    (result,) = pbslim.transform(graph, "fold_batch_norms", ["x"], ["y"])
    assert result.skipped[0].reason == ("its weights are a few values repeated, the file would grow to 1048576 bytes")


@pytest.mark.parametrize("channels", [1, 6, 7])
def test_the_first_elements_need_no_others(channels: int) -> None:
    looked: list[int] = []

    def halves(values: Array) -> Array:
        looked.append(values.size)
        assert values.size % channels == 0
        return values / np.float32(2)

    source = ArrayTensor(np.arange(42 * 10_000, dtype=np.float32))
    tensor = ElementwiseTensor(source, halves, multiple_of=channels)
    assert tensor.first(8).tolist() == [i / 2 for i in range(8)]
    assert sum(looked) < 8 + channels
    assert tensor.first(tensor.size + 1).size <= tensor.size
