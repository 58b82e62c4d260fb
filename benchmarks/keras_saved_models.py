"""Export Keras applications as SavedModels, freeze them, and compare the answers.

    python benchmarks/keras_saved_models.py [--out FOLDER] [NAME ...]

Weights are random, as training makes no difference here; batch norms get statistics other than the default. For each
model: nodes, variables, bytes, seconds, and how far the answers of the graph that pbslim froze are from those of Keras,
run by TensorFlow and by the built-in engine.
"""

from __future__ import annotations

import argparse
import gc
import time
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import pbslim

NAMES = (
    "MobileNetV2",
    "EfficientNetB0",
    "ResNet50",
    "NASNetMobile",
    "DenseNet121",
    "MobileNetV3Small",
    "EfficientNetV2B0",
    "InceptionV3",
    "Xception",
    "ConvNeXtTiny",
    "VGG16",
)


def exported(name: str, folder: Path) -> tuple[np.ndarray, np.ndarray]:
    """Save an application as a SavedModel; gives an input and what Keras answers."""
    import keras

    keras.utils.set_random_seed(1)
    model = getattr(keras.applications, name)(weights=None, classes=100)
    random = np.random.default_rng(1)
    for weight in model.weights:
        if weight.name.startswith(("moving_", "gamma", "beta")):
            weight.assign(random.uniform(0.5, 1.5, weight.shape).astype(np.float32))
    image = random.uniform(0, 255, (1, *(size or 224 for size in model.input_shape[1:-1]), 3)).astype(np.float32)
    answer = np.asarray(model(image, training=False))
    model.export(str(folder), verbose=False)
    keras.backend.clear_session()
    return image, answer


def difference(found: np.ndarray, expected: np.ndarray) -> float:
    """The largest difference, relative to the largest value."""
    return float(np.abs(found - expected).max() / np.abs(expected).max())


def compared(name: str, folder: Path) -> tuple[Any, ...]:
    """A row of the table."""
    image, expected = exported(name, folder / name)
    gc.collect()
    started = time.perf_counter()
    found = pbslim.freeze(folder / name)
    size = pbslim.save(found.graph, folder / "frozen.pb")
    seconds = time.perf_counter() - started
    [fed], [fetched] = found.signature.inputs.values(), found.signature.outputs.values()
    apart = [
        difference(pbslim.run(folder / "frozen.pb", {fed: image}, [fetched], engine=engine)[fetched], expected)
        for engine in ("tensorflow", "builtin")
    ]
    return name, len(found.graph), found.variables, f"{size / 1e6:.1f} MB", f"{seconds:.2f} s", *apart


def main(argv: Sequence[str] | None = None) -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", default=NAMES, metavar="NAME")
    parser.add_argument("--out", type=Path, help="keep the SavedModels here")
    options = parser.parse_args(argv)
    with TemporaryDirectory() as folder:
        for name in options.names:
            print(*compared(name, options.out or Path(folder)), sep="\t", flush=True)


if __name__ == "__main__":
    main()
