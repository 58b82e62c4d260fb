"""Checkpoints as TensorFlow writes them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pbslim.errors import DecodeError
from pbslim.wire.checkpoints import Checkpoint
from pbslim.wire.slices import read_extents

RANDOM = np.random.default_rng(0)
TENSORS: dict[str, Any] = {
    "scalar": np.float32(1.5),
    "a/vector": np.arange(5, dtype=np.int64),
    "a/matrix": RANDOM.normal(size=(3, 4)),
    "half": np.array([1.5, -2], np.float16),
    "empty": np.zeros((0, 3), np.float32),
    "flags": np.array([True, False]),
}


def _save(prefix: Path, tensors: dict[str, Any], slices: dict[str, str] | None = None) -> Path:
    tf = pytest.importorskip("tensorflow")
    names = list(tensors)
    wanted = [(slices or {}).get(name, "") for name in names]
    keys = [name.partition("#")[0] for name in names]
    tf.raw_ops.SaveV2(prefix=str(prefix), tensor_names=keys, shape_and_slices=wanted, tensors=list(tensors.values()))
    return prefix


@pytest.mark.tensorflow
def test_tensors_of_all_kinds(tmp_path: Path) -> None:
    checkpoint = Checkpoint(_save(tmp_path / "model", TENSORS))
    assert checkpoint.keys == sorted(TENSORS)
    for name, value in TENSORS.items():
        read = checkpoint.tensor(name).numpy()
        assert read.dtype == value.dtype
        np.testing.assert_array_equal(read, value)


@pytest.mark.tensorflow
def test_many_keys_take_several_blocks(tmp_path: Path) -> None:
    names = [f"layer_{i:05d}/{'deep/' * (i % 40)}weights" for i in range(4000)]
    checkpoint = Checkpoint(_save(tmp_path / "model", {name: np.int32(i) for i, name in enumerate(names)}))
    assert checkpoint.keys == sorted(names)
    assert [int(checkpoint.tensor(name).numpy()) for name in names] == list(range(4000))


@pytest.mark.tensorflow
def test_partitions_are_put_together(tmp_path: Path) -> None:
    whole = RANDOM.normal(size=(5100, 2, 70)).astype(np.float32)
    parts = {"w#0": whole[:64], "w#1": whole[64:5000], "w#2": whole[5000:]}
    spec = "5100 2 70 {},{}:0,2:-"
    slices = {"w#0": spec.format(0, 64), "w#1": spec.format(64, 4936), "w#2": spec.format(5000, 100)}
    checkpoint = Checkpoint(_save(tmp_path / "model", parts, slices))
    assert checkpoint.keys == ["w"]
    np.testing.assert_array_equal(checkpoint.tensor("w").numpy(), whole)
    part = checkpoint.tensor("w", read_extents("5100 2 70 60,10:1,1:-")).numpy()
    np.testing.assert_array_equal(part, whole[60:70, 1:2])


@pytest.mark.tensorflow
def test_shards(tmp_path: Path) -> None:
    tf = pytest.importorskip("tensorflow")
    shards = [str(_save(tmp_path / f"part{i}", {f"v{i}": np.full(3, i, np.float32)})) for i in range(2)]
    tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=shards, destination_prefix=str(tmp_path / "model"))
    checkpoint = Checkpoint(tmp_path / "model")
    assert [checkpoint.tensor(f"v{i}").numpy().tolist() for i in range(2)] == [[0, 0, 0], [1, 1, 1]]


@pytest.mark.tensorflow
def test_what_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DecodeError, match="there is no checkpoint"):
        Checkpoint(tmp_path / "nothing")
    checkpoint = Checkpoint(_save(tmp_path / "model", {"v": np.zeros(3, np.float32), "text": np.array(b"t")}))
    with pytest.raises(DecodeError, match="has no 'w'"):
        checkpoint.tensor("w")
    with pytest.raises(DecodeError, match="goes from 2 to 5 in a dimension of 3"):
        checkpoint.tensor("v", ((2, 3),))
    with pytest.raises(DecodeError, match="has 2 dimensions, not 1"):
        checkpoint.tensor("v", ((0, 1), (0, 1)))
    with pytest.raises(DecodeError, match="names no part"):
        read_extents("3 a,b")
    (tmp_path / "model.data-00000-of-00001").write_bytes(b"short")
    with pytest.raises(DecodeError, match="is truncated"):
        Checkpoint(tmp_path / "model").tensor("v")


@pytest.mark.tensorflow
def test_a_broken_index_is_one_error(tmp_path: Path) -> None:
    prefix = _save(tmp_path / "model", TENSORS)
    good = Path(f"{prefix}.index").read_bytes()
    random = np.random.default_rng(1)
    errors = 0
    for _ in range(400):
        damaged = bytearray(good)
        for _ in range(random.integers(1, 4)):
            damaged[random.integers(len(damaged))] = random.integers(256)
        cut = random.integers(len(damaged)) if random.random() < 0.2 else len(damaged)
        Path(f"{prefix}.index").write_bytes(damaged[:cut])
        try:
            checkpoint = Checkpoint(prefix)
            for key in checkpoint.keys:
                checkpoint.tensor(key).numpy()
        except DecodeError:
            errors += 1
    assert errors > 100
