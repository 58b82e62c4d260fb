"""Checkpoints as TensorFlow writes them, and such as nobody should."""

from __future__ import annotations

import json
import os
import random
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.dtypes import FLOAT, INT64, STRING, DType
from pbslim.errors import DecodeError
from pbslim.ir.tensors import Array
from pbslim.wire.checkpoints import Checkpoint
from pbslim.wire.slices import Extents, read_extents, slice_key
from tests import tables

RECORDED = Path(__file__).parents[1] / "data" / "checkpoints"
TENSORS: dict[str, dict[str, Any]] = json.loads((RECORDED / "tensors.json").read_text())
RANDOM = np.random.default_rng(0)


def array(name: str) -> Array:
    """The elements of a tensor that was recorded."""
    kind, values = DType.parse(TENSORS[name]["type"]), TENSORS[name]["values"]
    if kind is STRING:
        texts = np.array(values, object)
        return np.array([text.encode("latin-1") for text in texts.reshape(-1)], object).reshape(texts.shape)
    return np.array([complex(v) for v in values] if kind.name.startswith("complex") else values).astype(kind.numpy)


@pytest.fixture
def recorded(tmp_path: Path) -> Path:
    """A folder with copies of the recorded checkpoints."""
    return shutil.copytree(RECORDED, tmp_path / "recorded")


def save_variables(prefix: Path, tensors: dict[str, Any], slices: dict[str, str] | None = None) -> Path:
    """Let TensorFlow save tensors; what follows a ``#`` in their names tells slices apart."""
    tf = pytest.importorskip("tensorflow")
    names = list(tensors)
    wanted = [(slices or {}).get(name, "") for name in names]
    keys = [name.partition("#")[0] for name in names]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=keys, shape_and_slices=wanted, tensors=list(tensors.values()))
    return prefix


@pytest.mark.parametrize("version", ["first", "second", "sharded"])
def test_tensors_of_all_kinds(version: str) -> None:
    checkpoint = Checkpoint(RECORDED / version)
    names = sorted(name for name, tensor in TENSORS.items() if tensor.get("only", version) == version)
    assert checkpoint.keys == names
    assert "nothing" not in checkpoint
    for name in names:
        found, expected, entry = checkpoint.tensor(name), array(name), checkpoint.entry(name)
        assert found.dtype is entry.dtype is DType.parse(TENSORS[name]["type"])
        assert found.shape == entry.shape == expected.shape
        assert found.numpy().dtype == expected.dtype
        np.testing.assert_array_equal(found.numpy(), expected)
    assert len(checkpoint.sources) == {"first": 1, "sharded": 2, "second": 3}[version]


@pytest.mark.tensorflow
def test_many_keys_take_several_blocks(tmp_path: Path) -> None:
    names = [f"layer_{i:05d}/{'deep/' * (i % 40)}weights" for i in range(4000)]
    checkpoint = Checkpoint(save_variables(tmp_path / "model", {name: np.int32(i) for i, name in enumerate(names)}))
    assert checkpoint.keys == sorted(names)
    assert [int(checkpoint.tensor(name).numpy()) for name in names] == list(range(4000))


@pytest.mark.tensorflow
def test_partitions_are_put_together(tmp_path: Path) -> None:
    whole = RANDOM.normal(size=(5100, 2, 70)).astype(np.float32)
    parts = {"w#0": whole[:64], "w#1": whole[64:5000], "w#2": whole[5000:]}
    spec = "5100 2 70 {},{}:0,2:-"
    slices = {"w#0": spec.format(0, 64), "w#1": spec.format(64, 4936), "w#2": spec.format(5000, 100)}
    checkpoint = Checkpoint(save_variables(tmp_path / "model", parts, slices))
    assert checkpoint.keys == ["w"]
    found = checkpoint.tensor("w")
    np.testing.assert_array_equal(found.numpy(), whole)
    pieces = list(found.chunks(multiple_of=700))
    assert all(piece.size % 700 == 0 for piece in pieces[:-1])
    np.testing.assert_array_equal(np.concatenate(pieces), whole.reshape(-1))
    part = checkpoint.tensor("w", read_extents("5100 2 70 60,10:1,1:-"))
    np.testing.assert_array_equal(part.numpy(), whole[60:70, 1:2])
    second = checkpoint.tensor("w", read_extents(slices["w#1"]))
    np.testing.assert_array_equal(second.numpy(), parts["w#1"])


@st.composite
def partitions(draw: st.DrawFn) -> tuple[tuple[int, ...], list[Extents], Extents]:
    """A shape, slices that make it up, and a part of it."""
    shape = tuple(draw(st.lists(st.integers(1, 5), min_size=1, max_size=3)))
    boxes: list[Extents] = [tuple((0, size) for size in shape)]
    for _ in range(draw(st.integers(0, 5))):
        box = boxes.pop(draw(st.integers(0, len(boxes) - 1)))
        axis = draw(st.integers(0, len(shape) - 1))
        start, length = box[axis]
        cut = draw(st.integers(0, length))
        halves = [(start, cut), (start + cut, length - cut)]
        boxes += [(*box[:axis], half, *box[axis + 1 :]) for half in halves if half[1]]
    starts = [draw(st.integers(0, size)) for size in shape]
    part = tuple((start, draw(st.integers(0, size - start))) for start, size in zip(starts, shape, strict=True))
    return shape, boxes, part


@given(partitions(), st.sampled_from(["f4", "c8", "i1"]))
def test_any_part_of_any_partition(case: tuple[tuple[int, ...], list[Extents], Extents], kind: str) -> None:
    shape, slices, part = case
    with tables.folder() as folder:
        whole = np.arange(np.prod(shape), dtype=kind).reshape(shape)
        checkpoint = Checkpoint(tables.write_bundle(folder / "model", {"a": whole, "b": whole}, {"a": slices}))
        for name in "ab":
            np.testing.assert_array_equal(checkpoint.tensor(name).numpy(), whole)
            wanted = whole[tuple(slice(start, start + length) for start, length in part)]
            np.testing.assert_array_equal(checkpoint.tensor(name, part).numpy(), wanted)


@given(partitions(), st.data())
def test_slices_must_make_up_the_tensor(
    case: tuple[tuple[int, ...], list[Extents], Extents], data: st.DataObject
) -> None:
    shape, slices, _ = case
    at = data.draw(st.integers(0, len(slices) - 1))
    wrong = data.draw(st.sampled_from([slices[:at] + slices[at + 1 :], [*slices, slices[at]]]))
    with tables.folder() as folder:
        whole = np.zeros(shape, np.float32)
        prefix = tables.write_bundle(folder / "model", {"a": whole}, {"a": wrong or slices * 2})
        with pytest.raises(DecodeError, match="do not cover each of its elements once"):
            Checkpoint(prefix).tensor("a")


@pytest.mark.tensorflow
def test_shards(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    shards = [str(save_variables(tmp_path / f"part{i}", {f"v{i}": np.full(3, i, np.float32)})) for i in range(2)]
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=shards, destination_prefix=str(tmp_path / "model"))
    checkpoint = Checkpoint(tmp_path / "model")
    assert [checkpoint.tensor(f"v{i}").numpy().tolist() for i in range(2)] == [[0, 0, 0], [1, 1, 1]]
    Path(f"{tmp_path / 'model'}.data-00001-of-00002").unlink()
    checkpoint = Checkpoint(tmp_path / "model")  # only the shards that are needed must be there
    assert checkpoint.tensor("v0").shape == (3,)
    with pytest.raises(DecodeError, match=r"cannot read '.*model\.data-00001-of-00002'"):
        checkpoint.tensor("v1")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no named pipes here")
def test_a_shard_is_a_regular_file(recorded: Path) -> None:
    data = recorded / "second.data-00000-of-00002"
    data.unlink()
    os.mkfifo(data)
    with pytest.raises(DecodeError, match="is no regular file"):
        Checkpoint(recorded / "second").tensor("float")


def test_the_byte_order_of_other_machines(tmp_path: Path) -> None:
    numbers = np.array([[1.5, -2], [3e8, 0]], ">f4")
    pairs = np.array([1 + 2j, -3j], ">c8")
    strings = tables.strings([b"ab", b"", b"c"], "big")
    whole = numbers.tobytes() + pairs.tobytes() + strings.data
    entries = [
        (b"", tables.header(big_endian=True)),
        (b"numbers", tables.entry(FLOAT, (2, 2), 0, numbers.tobytes())),
        (b"pairs", tables.entry(DType.parse("complex64"), (2,), 16, pairs.tobytes())),
        (b"strings", tables.entry(STRING, (3,), 32, strings.data, checked=strings.checked)),
    ]
    tables.write_files(tmp_path / "model", entries, whole)
    checkpoint = Checkpoint(tmp_path / "model")
    np.testing.assert_array_equal(checkpoint.tensor("numbers").numpy(), numbers)
    np.testing.assert_array_equal(checkpoint.tensor("numbers", ((1, 1), (0, 2))).numpy(), numbers[1:])
    np.testing.assert_array_equal(checkpoint.tensor("pairs").numpy(), pairs)
    assert checkpoint.tensor("strings").numpy().tolist() == [b"ab", b"", b"c"]


def test_large_tensors_are_read_in_pieces_and_checked_on_the_way(tmp_path: Path) -> None:
    whole = RANDOM.normal(size=(600_000,)).astype(np.float32)
    prefix = tables.write_bundle(tmp_path / "model", {"w": whole}, {})
    pieces = list(Checkpoint(prefix).tensor("w").chunks())
    assert len(pieces) > 1
    np.testing.assert_array_equal(np.concatenate(pieces), whole)
    data = Path(f"{prefix}.data-00000-of-00001")
    with data.open("r+b") as file:
        file.seek(600_000)
        file.write(b"\xff")
    tensor = Checkpoint(prefix).tensor("w")
    given_out: list[Array] = []
    with pytest.raises(DecodeError, match=r"2400000 bytes of 'w' in '.*' from byte 0 on do not match their checksum"):
        given_out.extend(tensor.chunks())
    assert len(given_out) < len(pieces)
    with pytest.raises(DecodeError, match="checksum"):
        Checkpoint(prefix).tensor("w", ((5, 3),)).numpy()


@pytest.mark.parametrize(
    ("name", "version"),
    [
        ("first", "first"),
        ("second", "second"),
        ("second.index", "second"),
        ("second.meta", "second"),
        ("second.data-00001-of-00002", "second"),
        ("first.meta", "first"),
        ("sharded", "sharded"),
        ("sharded-00001-of-00002", "sharded"),
        ("sharded.meta", "sharded"),
    ],
)
def test_any_file_names_its_checkpoint(recorded: Path, name: str, version: str) -> None:
    checkpoint = Checkpoint(recorded / name)
    assert checkpoint.path.name in {version, name}
    assert ("uint64" in checkpoint) == (version == "second")
    assert checkpoint.tensor("scalar").numpy() == 7.5


def test_the_latest_of_a_folder(recorded: Path) -> None:
    state = recorded / "checkpoint"
    with pytest.raises(DecodeError, match="has no file 'checkpoint'"):
        Checkpoint(recorded)
    state.write_text('# comment\nmodel_checkpoint_path: "second"\nall_model_checkpoint_paths: "first"\n')
    for given_path in (recorded, state):
        checkpoint = Checkpoint(given_path)
        assert (checkpoint.path, checkpoint.remark) == (recorded / "second", "")
    state.write_text(f'model_checkpoint_path: "{RECORDED / "first"}"')
    assert Checkpoint(recorded).path == RECORDED / "first"
    state.write_text('model_checkpoint_path: "/gone/with\\\\the\\\\first"')
    checkpoint = Checkpoint(recorded)
    assert checkpoint.path == recorded / "first"
    assert "which is gone" in checkpoint.remark
    state.write_text('model_checkpoint_path: "/gone/third"')
    with pytest.raises(DecodeError, match="there is no checkpoint '/gone/third'"):
        Checkpoint(recorded)
    state.write_text('all_model_checkpoint_paths: "first"')
    with pytest.raises(DecodeError, match="names no latest checkpoint"):
        Checkpoint(recorded)
    state.write_text("model_checkpoint_path:")
    with pytest.raises(DecodeError, match="is not a state file"):
        Checkpoint(recorded)


def test_the_variables_of_a_folder(recorded: Path) -> None:
    (recorded / "variables").mkdir()
    for file in recorded.glob("second.*"):
        shutil.copy(file, recorded / "variables" / file.name.replace("second", "variables"))
    for folder in (recorded, recorded / "variables"):
        assert Checkpoint(folder).path == recorded / "variables" / "variables"


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nothing", "there is no checkpoint '.*nothing': neither it nor 'nothing.index' is a file"),
        ("tensors.json", "'.*tensors.json' is not a checkpoint: it does not end as their files do"),
        ("lost.data-00000-of-00001", "is a part of a checkpoint whose index '.*lost.index' is missing"),
        ("renamed", "is the index of a checkpoint under another name"),
        ("single-00000-of-00002", "has 1 of 2 files"),
    ],
)
def test_what_is_no_checkpoint(recorded: Path, name: str, message: str) -> None:
    shutil.copy(recorded / "second.data-00000-of-00002", recorded / "lost.data-00000-of-00001")
    shutil.copy(recorded / "second.index", recorded / "renamed")
    shutil.copy(recorded / "sharded-00000-of-00002", recorded / "single-00000-of-00002")
    with pytest.raises(DecodeError, match=message):
        Checkpoint(recorded / name)


def test_what_a_checkpoint_does_not_have(recorded: Path) -> None:
    checkpoint = Checkpoint(recorded / "second")
    with pytest.raises(DecodeError, match=r"the checkpoint '.*second' has no 'w'"):
        checkpoint.tensor("w")
    with pytest.raises(DecodeError, match=r"'many' .* goes from 30 to 33 in a dimension of 32"):
        checkpoint.tensor("many", ((30, 3),))
    with pytest.raises(DecodeError, match="has 2 dimensions, not 1"):
        checkpoint.tensor("many", ((0, 1), (0, 1)))
    with pytest.raises(DecodeError, match="names no part"):
        read_extents("3 a,b")


@pytest.mark.parametrize(
    ("header", "entry", "message"),
    [
        (tables.header(versions=tables.number(1, 4) + tables.number(2, 3)), b"", "for readers of version 3"),
        (tables.header(versions=tables.number(1, 1) + tables.number(3, 1)), b"", "is for readers of version 2"),
        (tables.header(), tables.entry(FLOAT, (2,), 0, bytes(8), shard=1), "has 'v' in shard 1 of 1"),
        (tables.header(), tables.entry(FLOAT, (2,), 1 << 62, bytes(8)), "is truncated: 'v' ends at byte 46116860"),
        (tables.header(), tables.entry(FLOAT, (1 << 40, 3), 0, bytes(12)), r"claims 12 bytes of .* for float \[1099"),
        (tables.header(), tables.entry(FLOAT, (-1,), 0, b""), r"cannot be read: float \[-1\]"),
        (tables.header(), tables.entry(FLOAT, (1,) * 255, 0, bytes(4)), "cannot be read"),
        (tables.header(), tables.entry(STRING, (1 << 40,), 0, bytes(12)), "claims 1099511627776 strings in 12 bytes"),
        (tables.header(), tables.entry(STRING, (2,), 0, bytes(9)), "do not add up to its 9 bytes"),
        (tables.header(), tables.entry(STRING, (2,), 0, bytes(8)), "do not match their checksum"),
        (tables.header(), tables.number(1, 99), "cannot be read: type number 99"),
        (tables.header(), tables.number(1, 20), "cannot be read: resource"),
        (tables.header(), b"\x0b", "an entry of '.*model.index' has a field of unknown kind"),
        (tables.header(), tables.entry(FLOAT, (4,), 0, b"") + tables.slices([((0, 4),)]), "no entry for a slice of"),
    ],
)  # fmt: skip
def test_what_an_index_may_claim(tmp_path: Path, header: bytes, entry: bytes, message: str) -> None:
    tables.write_files(tmp_path / "model", [(b"", header), (b"v", entry)], b"\1\1" + bytes(14))
    with pytest.raises(DecodeError, match=message):
        Checkpoint(tmp_path / "model").tensor("v")


def test_a_slice_of_another_type(tmp_path: Path) -> None:
    whole = tables.entry(FLOAT, (4,), 0, b"") + tables.slices([((0, 4),)])
    key = slice_key("v", ((0, 4),))
    tables.write_files(
        tmp_path / "model",
        [(b"", tables.header()), (key, tables.entry(INT64, (2,), 0, bytes(16))), (b"v", whole)],
        bytes(16),
    )
    with pytest.raises(DecodeError, match=r"is int64 \[2\], not float \[4\] as its place"):
        Checkpoint(tmp_path / "model").tensor("v")


def test_more_slices_than_can_be_checked(tmp_path: Path) -> None:
    cuts = [tuple((0, 1 if axis == at else 2) for axis in range(24)) for at in range(24)]
    whole = tables.entry(FLOAT, (2,) * 24, 0, b"") + tables.slices(cuts)
    tables.write_files(tmp_path / "model", [(b"", tables.header()), (b"v", whole)], b"")
    with pytest.raises(DecodeError, match="has too many slices: 24, which cut 24 dimensions"):
        Checkpoint(tmp_path / "model").tensor("v")


@pytest.mark.parametrize("target", ["first", "sharded-00001-of-00002", "second.index", "second.data-00000-of-00002"])
def test_no_damaged_file_goes_unnoticed(recorded: Path, target: str) -> None:
    file, chance = recorded / target, random.Random(target)  # noqa: S311
    good = file.read_bytes()
    held = slice(0, len(good) - 48) if "data" not in target else slice(0, len(good))  # a footer has room to spare
    for _ in range(60):
        damaged = bytearray(good)
        damaged[chance.randrange(held.stop)] ^= 1 << chance.randrange(8)
        file.write_bytes(damaged if chance.random() < 0.8 else damaged[: chance.randrange(len(good))])
        with pytest.raises(DecodeError, match="'"):
            read_all(recorded / target.partition(".")[0])


@pytest.mark.parametrize("target", ["first", "sharded-00001-of-00002", "second.index"])
def test_a_table_with_nonsense_is_one_error_at_most(recorded: Path, target: str) -> None:
    file, chance = recorded / target, random.Random(target)  # noqa: S311
    good, errors = file.read_bytes(), 0
    for _ in range(60):
        damaged = bytearray(good)
        for _ in range(chance.randrange(1, 4)):
            at = chance.randrange(len(damaged))
            damaged[at : at + chance.choice([1, 1, 2, 9])] = chance.choice([b"\0", b"\1", b"\x7f", b"\xff" * 9])
        file.write_bytes(tables.sealed(bytes(damaged)))
        try:
            read_all(recorded / target.partition(".")[0])
        except DecodeError:
            errors += 1
    assert errors > 20


def read_all(path: Path) -> None:
    """Read each tensor of a checkpoint."""
    checkpoint = Checkpoint(path)
    for key in checkpoint.keys:
        checkpoint.tensor(key).numpy()
