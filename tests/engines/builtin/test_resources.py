"""Tables, lists, random numbers and images: what they hold, draw and decode is what TensorFlow's do."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest

from pbslim.engines import engine
from pbslim.errors import PbslimError
from tests import graphs
from tests.engines.builtin.against_tensorflow import build, check

TENSORFLOW = pytest.mark.tensorflow
X = np.array([[1, -2, 3], [0.5, 4, -1]], np.float32)


def tables(tf: Any) -> Any:
    words = tf.compat.v1.placeholder("string", [None], "words")
    keys, values = tf.constant(["a", "b", "c"]), tf.constant([5, 7, 9], tf.int64)
    forward = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(keys, values), -1)
    numbers = forward.lookup(words)
    backward = tf.lookup.StaticHashTable(tf.lookup.KeyValueTensorInitializer(values, keys), "none")
    exported = tf.raw_ops.LookupTableExportV2(table_handle=backward.resource_handle, Tkeys=tf.int64, Tvalues=tf.string)
    return [numbers, backward.lookup(numbers + 2), forward.size(), tf.sort(exported.keys)]


def old_tables(tf: Any) -> Any:
    words = tf.compat.v1.placeholder("string", [None], "words")
    raw = tf.raw_ops
    table = raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.float32, shared_name="shared")
    raw.InitializeTableV2(table_handle=table, keys=tf.constant(["a", "c"]), values=tf.constant([0.5, 1.5]))
    same = raw.HashTableV2(key_dtype=tf.string, value_dtype=tf.float32, shared_name="shared")
    return [
        raw.LookupTableFindV2(table_handle=same, keys=words, default_value=tf.constant(9.0)),
        raw.LookupTableSizeV2(table_handle=table),
    ]


def changing_tables(tf: Any) -> Any:
    words = tf.compat.v1.placeholder("string", [None], "words")
    raw, types = tf.raw_ops, {"key_dtype": tf.string, "value_dtype": tf.int64}
    filled, empty = raw.MutableHashTableV2(**types, shared_name="filled"), raw.MutableHashTableV2(**types)
    raw.LookupTableImportV2(table_handle=filled, keys=tf.constant(["c", "a"]), values=tf.constant([3, 4], tf.int64))
    default = tf.constant(-1, tf.int64)
    return [raw.LookupTableFindV2(table_handle=each, keys=words, default_value=default) for each in (filled, empty)]


@TENSORFLOW
@pytest.mark.parametrize("make", [tables, old_tables, changing_tables], ids=lambda make: str(make.__name__))
def test_tables(make: Any) -> None:
    graph_def, names = build(make, old=True)
    check(graph_def, names, {"words": np.array([b"c", b"x", b"a"], object)})


def lists(tf: Any) -> Any:
    x = tf.compat.v1.placeholder("float32", [None, 3], "x")
    raw = tf.raw_ops
    shape = tf.constant([3])
    rows = raw.TensorListFromTensor(tensor=x, element_shape=shape)
    pushed = raw.TensorListPushBack(input_handle=rows, tensor=x[0] * 2)
    popped = raw.TensorListPopBack(input_handle=pushed, element_shape=shape, element_dtype=tf.float32)
    empty = raw.EmptyTensorList(element_shape=shape, max_num_elements=5, element_dtype=tf.float32)
    reserved = raw.TensorListReserve(element_shape=shape, num_elements=3, element_dtype=tf.float32)
    changed = raw.TensorListSetItem(input_handle=reserved, index=1, item=x[1])
    longer = raw.TensorListResize(input_handle=changed, size=4)
    split = raw.TensorListSplit(tensor=x, element_shape=tf.constant([-1, 3]), lengths=tf.constant([1, 1], tf.int64))
    joined = raw.TensorListConcatV2(
        input_handle=split,
        element_shape=tf.constant([-1, 3]),
        leading_dims=tf.constant([], tf.int64),
        element_dtype=tf.float32,
    )
    scattered = raw.TensorListScatterV2(tensor=x, indices=[2, 0], element_shape=shape, num_elements=4)
    both = raw.TensorListConcatLists(input_a=rows, input_b=pushed, element_dtype=tf.float32)

    def stack(handle: Any) -> Any:
        return raw.TensorListStack(input_handle=handle, element_shape=shape, element_dtype=tf.float32, num_elements=-1)

    return [
        *(stack(handle) for handle in (rows, pushed, popped.output_handle, empty, changed, longer, scattered, both)),
        popped.tensor,
        joined.tensor,
        joined.lengths,
        raw.TensorListGather(input_handle=both, indices=[3, 0], element_shape=shape, element_dtype=tf.float32),
        raw.TensorListGetItem(input_handle=longer, index=0, element_shape=shape, element_dtype=tf.float32),
        raw.TensorListLength(input_handle=longer),
        raw.TensorListElementShape(input_handle=rows, shape_type=tf.int32),
    ]


@TENSORFLOW
def test_lists() -> None:
    graph_def, names = build(lists, old=False)
    check(graph_def, names, {"x": X})


def draws(tf: Any) -> Any:
    raw = tf.raw_ops
    seeds = {"seed": 12, "seed2": 345}
    drawn = [
        raw.RandomUniform(shape=[5, 3], dtype=tf.float32, **seeds),
        raw.RandomStandardNormal(shape=[7], dtype=tf.float64, **seeds),
        raw.TruncatedNormal(shape=[2, 9], dtype=tf.float16, **seeds),
        raw.RandomUniformInt(shape=[9], minval=-4, maxval=30, **seeds),
    ]
    repeated = tf.while_loop(
        lambda i, _: i < 4,
        lambda i, v: (i + 1, v + raw.RandomUniform(shape=[3], dtype=tf.float32, seed=i.op and 3)),
        (0, tf.zeros([3])),
    )
    return [*drawn, repeated[1]]


@TENSORFLOW
def test_random_numbers_are_those_of_the_first_run_in_tensorflow() -> None:
    graph_def, names = build(draws, old=True)
    check(graph_def, names, {})


OTHER_DRAWS = """
    shape = Const([4000], dtype='int32')
    u = RandomUniform(shape, T='int32', dtype='float')
    v = RandomUniform(shape, T='int32', dtype='float')
    gamma = RandomGamma(shape, alpha, S='int32', seed=1)
    alpha = Const(3)
    poisson = RandomPoissonV2(shape, alpha, S='int32', R='float', seed=1)
    order = RandomShuffle(u, seed=1)
    logits = Const([[0, 1, -100]])
    many = Const(4000, dtype='int32')
    class = Multinomial(logits, many, seed=1)
"""


def test_other_distributions() -> None:
    names = ["u", "v", "gamma", "poisson", "order", "class"]
    with engine("builtin").load(graphs.parse(OTHER_DRAWS)[0]) as program:
        u, v, gamma, poisson, order, classes = program.run({}, names)
        again = program.run({}, names)
    for first, second in zip((u, v, gamma, poisson, order, classes), again, strict=True):
        np.testing.assert_array_equal(first, second)
    assert (u != v).any()
    assert abs(u.mean() - 0.5) < 0.02
    assert abs(gamma.mean() - 3) < 0.15
    assert abs(poisson.mean() - 3) < 0.15
    assert sorted(order) == sorted(u)
    assert abs((classes == 1).mean() - np.e / (1 + np.e)) < 0.03
    assert (classes < 2).all()


def _image(form: str, mode: str, **options: Any) -> bytes:
    image = pytest.importorskip("PIL.Image")
    down, across = np.mgrid[0:37, 0:50]
    pixels = np.stack([down * 6, across * 5, (down * across) % 251, 255 - down * 3], -1).astype(np.uint8)
    buffer = io.BytesIO()
    image.fromarray(pixels, "RGBA").convert(mode).save(buffer, form, **options)
    return buffer.getvalue()


@TENSORFLOW
@pytest.mark.parametrize(
    ("op", "form", "mode", "attrs"),
    [
        *(("DecodeJpeg", "JPEG", mode, {"channels": c}) for mode in ("RGB", "L") for c in (0, 1, 3)),
        ("DecodeJpeg", "JPEG", "RGB", {"channels": 3, "ratio": 2}),
        *(
            ("DecodePng", "PNG", mode, {"channels": c})
            for mode in ("RGB", "RGBA", "L", "LA", "P")
            for c in (0, 1, 3, 4)
        ),
        *(("DecodePng", "PNG", mode, {"channels": 0}) for mode in ("1", "I;16")),
        ("DecodeJpeg", "PNG", "RGB", {"channels": 3}),
        ("DecodeBmp", "BMP", "RGB", {}),
        ("DecodeGif", "GIF", "RGB", {}),
        ("DecodeImage", "PNG", "RGB", {"channels": 3}),
        ("DecodeImage", "GIF", "RGB", {"channels": 3}),
    ],
)
def test_images(op: str, form: str, mode: str, attrs: dict[str, int]) -> None:
    data = np.array(_image(form, mode, **({"quality": 90} if form == "JPEG" else {})), object)

    def make(tf: Any) -> Any:
        contents = tf.compat.v1.placeholder("string", [], "contents")
        exact = {"dct_method": "INTEGER_ACCURATE"} if op == "DecodeJpeg" else {}  # Pillow's
        return [getattr(tf.raw_ops, op)(contents=contents, **attrs, **exact)]

    graph_def, names = build(make, old=True)
    check(graph_def, names, {"contents": data})


def test_what_is_no_image_is_told_in_one_line() -> None:
    pytest.importorskip("PIL")
    graph = graphs.parse("c = Placeholder(dtype='string')\ni = DecodeJpeg(c)")[0]
    with engine("builtin").load(graph) as program:
        for data in (b"", b"no image", _image("PNG", "RGB")[:200]):
            with pytest.raises(PbslimError, match="node 'i': the image cannot be decoded: "):
                program.run({"c": np.array(data, object)}, ["i"])
