"""Lists of numbers in every way in which a message can hold them, against the protobuf library."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import pbslim
from pbslim.errors import DecodeError
from pbslim.ir import Tensor
from pbslim.wire import schema
from pbslim.wire.numbers import packed_varints
from pbslim.wire.tensors import decode_tensor
from pbslim.wire.varint import FIXED32, FIXED64, LEN, VARINT, length_delimited, tag, varint

schema.new("TensorProto")  # loads the library, which takes longer than an example may
VARINTS = {3: 7, 9: 10, 10: 11, 19: 13, 22: 16, 23: 17}  # type → number of its list
FIXED = {1: (5, FIXED32, np.float32), 2: (6, FIXED64, np.float64), 8: (9, FIXED32, np.float32)}


def head(dtype: int, size: int) -> bytes:
    return tag(1, VARINT) + varint(dtype) + length_delimited(2, length_delimited(2, tag(1, VARINT) + varint(size)))


def decoded(encoded: bytes) -> Tensor:
    return decode_tensor(memoryview(encoded), 0, len(encoded))


def by_the_library(encoded: bytes, name: str) -> list[Any]:
    message = schema.new("TensorProto")
    message.ParseFromString(encoded)
    return list(getattr(message, name))


@st.composite
def pieces(draw: st.DrawFn) -> list[tuple[bool, list[int]]]:
    """Numbers in several stretches, each packed or not."""
    number = st.integers(0, (1 << 64) - 1) | st.integers(0, 300)
    return draw(st.lists(st.tuples(st.booleans(), st.lists(number, min_size=1, max_size=40)), min_size=1, max_size=4))


@given(st.sampled_from(sorted(VARINTS)), pieces())
def test_varints(dtype: int, stretches: list[tuple[bool, list[int]]]) -> None:
    number = VARINTS[dtype]
    content = b"".join(
        length_delimited(number, b"".join(map(varint, values)))
        if packed
        else b"".join(tag(number, VARINT) + varint(value) for value in values)
        for packed, values in stretches
    )
    size = sum(len(values) for _, values in stretches)
    encoded = head(dtype, size) + content
    name = {3: "int_val", 9: "int64_val", 10: "bool_val", 19: "half_val", 22: "uint32_val", 23: "uint64_val"}[dtype]
    wanted = by_the_library(encoded, name)
    tensor = decoded(encoded)
    found = tensor.numpy()
    assert found.shape == (size,)
    if dtype == 19:
        assert found.view(np.uint16).tolist() == [value & 0xFFFF for value in wanted]
    else:
        assert found.tolist() == wanted
    assert np.concatenate(list(tensor.chunks(3))).tobytes() == found.tobytes()


@given(st.sampled_from(sorted(FIXED)), pieces())
def test_numbers_of_fixed_size(dtype: int, stretches: list[tuple[bool, list[int]]]) -> None:
    number, kind, numpy = FIXED[dtype]
    content = b""
    for packed, values in stretches:
        array = np.array(values, np.uint64).astype(numpy)
        single = [tag(number, kind) + value.tobytes() for value in array]
        content += length_delimited(number, array.tobytes()) if packed else b"".join(single)
    count = sum(len(values) for _, values in stretches)
    found = decoded(head(dtype, count // 2 if dtype == 8 else count) + content).numpy()
    wanted = by_the_library(content, {1: "float_val", 2: "double_val", 8: "scomplex_val"}[dtype])
    assert found.view(numpy).tolist()[: len(wanted)] == wanted[: found.view(numpy).size]


def test_millions_one_by_one() -> None:
    """As quick as packed ones: a Python loop over them would take seconds."""
    values = np.random.default_rng(1).integers(0, 100, 2_000_000).astype(np.uint8)
    fields = np.stack([np.full(values.size, 7 << 3, np.uint8), values], axis=1).tobytes()
    found = decoded(head(3, values.size) + fields)
    assert np.array_equal(found.numpy(), values)


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (length_delimited(7, b"\x01" * 300 + b"\x80"), "ends within one of them"),
        (length_delimited(7, b"\x80" * 11 + b"\x01"), "does not end"),
        (length_delimited(7, b"\x80" * 400 + b"\x01"), "does not end"),
        (tag(7, VARINT) + b"\x80" * 12, "does not end"),
        (length_delimited(5, bytes(7)), "ends within one of them"),
        pytest.param(
            (tag(7, VARINT) + b"\x01" + length_delimited(7, b"\x01")) * 40_000,
            "scattered over too many fields",
            marks=pytest.mark.slow,
        ),
    ],
)
def test_broken_lists_are_errors(content: bytes, says: str) -> None:
    dtype = 1 if content[0] >> 3 == 5 else 3
    with pytest.raises(DecodeError, match=says):
        decoded(head(dtype, 500) + content).numpy()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the system does not tell how much memory was taken")
def test_a_long_list_takes_little_memory(tmp_path: Path) -> None:
    size = 40_000_000
    values = np.random.default_rng(1).integers(0, 100, size).astype(np.uint8)
    tensor = head(3, size) + length_delimited(7, values.tobytes())
    value = length_delimited(5, length_delimited(1, b"value") + length_delimited(2, length_delimited(8, tensor)))
    dtype = length_delimited(5, length_delimited(1, b"dtype") + length_delimited(2, tag(6, VARINT) + varint(3)))
    node = length_delimited(1, b"c") + length_delimited(2, b"Const") + dtype + value
    (tmp_path / "g.pb").write_bytes(length_delimited(1, node))
    code = (
        "import re, sys; from pbslim.cli import main\n"
        "try: main(['summarize_graph', '--in_graph', sys.argv[1]])\n"
        "finally: print(re.search(r'VmHWM:\\s+(\\d+) kB', open('/proc/self/status').read())[1])"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "g.pb"], capture_output=True, check=True, text=True)
    assert "Found 40000000 (40.00M) const parameters" in done.stdout
    assert int(done.stdout.split()[-1]) < 100_000


def test_packed_numbers_are_as_the_library_writes_them() -> None:
    values = [0, 1, 127, 128, 300, (1 << 32) - 1, (1 << 63) - 1, (1 << 64) - 1]
    message = schema.new("TensorProto")
    message.uint64_val.extend(values)
    assert length_delimited(17, packed_varints(np.array(values, np.uint64)).tobytes()) == message.SerializeToString()
    assert message.SerializeToString()[0] & 7 == LEN


def test_a_number_that_is_repeated_to_a_large_shape() -> None:
    graph = pbslim.Graph()
    graph.add("c", "Const", attrs={"value": decoded(head(3, 1 << 40) + length_delimited(7, b"\x01\x02"))})
    assert len(pbslim.to_bytes(graph) if hasattr(pbslim, "to_bytes") else b"") < 100
