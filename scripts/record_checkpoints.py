"""Make the checkpoints in tests/data/checkpoints, of the tensors that tensors.json lists there.

Run it with a Python that has TensorFlow 1.15.5, which writes both versions; it needs nothing of pbslim::

    python3.7 scripts/record_checkpoints.py
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import tensorflow as tf

FOLDER = Path(__file__).parents[1] / "tests" / "data" / "checkpoints"
STORED_AS = {"qint8": "int8", "quint8": "uint8", "qint16": "int16", "quint16": "uint16", "qint32": "int32"}
UNSUPPORTED = {"uint32": "int32", "uint64": "int64"}  # as constants


def main() -> None:
    """Write all checkpoints: one of each version, and one of the first version in two files."""
    first, second = [], []
    for name, tensor in json.loads((FOLDER / "tensors.json").read_text()).items():
        values = as_array(tensor["values"], tensor["type"])
        for spec in tensor.get("slices", [""]):
            shape = " ".join(map(str, values.shape)) + " " if spec else ""
            part = values[tuple(slice(a, a + n) for a, n in numbers(spec))] if spec else values
            entry = name, shape + spec, as_tensor(part, tensor["type"])
            second.append(entry)
            if "only" not in tensor:
                first.append(entry)
    with tf.compat.v1.Session() as session:
        session.run(save_slices("first", first))
        session.run(save_slices("sharded-00000-of-00002", first[::2]))
        session.run(save_slices("sharded-00001-of-00002", first[1::2]))
        shards = [str(FOLDER / "even"), str(FOLDER / "odd")]
        for prefix, entries in zip(shards, (second[::2], second[1::2])):  # noqa: B905 - Python 3.7
            names, specs, tensors = zip(*entries)  # noqa: B905
            session.run(
                tf.raw_ops.SaveV2(prefix=prefix, tensor_names=names, shape_and_slices=specs, tensors=list(tensors))
            )
        session.run(
            tf.raw_ops.MergeV2Checkpoints(checkpoint_prefixes=shards, destination_prefix=str(FOLDER / "second"))
        )


def numbers(spec: str) -> list[list[int]]:
    """First index and length along each dimension."""
    return [[int(number) for number in part.split(",")] for part in spec.split(":")]


def as_array(values: object, kind: str) -> np.ndarray:
    """The values as TensorFlow takes them; characters of strings stand for bytes."""
    if kind == "string":
        texts = np.array(values, object)
        return np.array([text.encode("latin-1") for text in texts.reshape(-1)], object).reshape(texts.shape)
    if kind.startswith("complex"):
        return np.array([complex(text) for text in values], kind)
    return np.array(values, "float32" if kind == "bfloat16" else STORED_AS.get(kind, kind))


def as_tensor(values: np.ndarray, kind: str) -> tf.Tensor:
    """A constant of type `kind`."""
    if kind in UNSUPPORTED:
        return tf.bitcast(tf.constant(values.view(UNSUPPORTED[kind])), tf.as_dtype(kind))
    if kind in STORED_AS:
        return tf.bitcast(tf.constant(values), tf.as_dtype(kind))
    constant = tf.constant(values, tf.string) if kind == "string" else tf.constant(values)
    return tf.cast(constant, tf.bfloat16) if kind == "bfloat16" else constant


def save_slices(name: str, entries: list[tuple[str, str, tf.Tensor]]) -> tf.Operation:
    """A checkpoint of the first version."""
    names, specs, tensors = zip(*entries)  # noqa: B905
    return tf.raw_ops.SaveSlices(
        filename=str(FOLDER / name), tensor_names=names, shapes_and_slices=specs, data=list(tensors)
    )


if __name__ == "__main__":
    main()
