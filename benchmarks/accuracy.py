"""Size and accuracy of a classifier by each recipe.

Usage:
    python benchmarks/accuracy.py MODEL.pb EVAL.npz --input X --output CLASS [--labels labels] [--divide 255]

EVAL.npz holds the inputs under the name of the placeholder and the classes under that of `--labels`; a class of -1 is
padding, and of a sequence of classes all must be right. Needs TensorFlow: pip install 'pbslim[tensorflow]'.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import numpy as np

from pbslim import shrink
from pbslim.engines import tensorflow
from pbslim.shrinking.recipes import RECIPES

BATCH = 50


def accuracy(model: Path, options: argparse.Namespace) -> float:
    """The share of examples of which the model names every class."""
    with np.load(options.eval) as file:
        examples, labels = file[options.input], file[options.labels]
    examples = examples.astype(np.float32) / np.float32(options.divide)
    with tensorflow.session(model) as run:
        parts = [
            run({options.input: examples[at : at + BATCH]}, [options.output])[0]
            for at in range(0, len(examples), BATCH)
        ]
    right = (np.concatenate(parts) == labels) | (labels < 0)
    return float(right.reshape(len(labels), -1).all(axis=1).mean())


def main() -> None:
    """Print a row for the model as it is and one for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("eval", type=Path)
    parser.add_argument("--input", required=True)
    parser.add_argument("--output", required=True)
    parser.add_argument("--labels", default="labels")
    parser.add_argument("--divide", type=float, default=1, help="the inputs are divided by this")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for recipe in RECIPES:
            out = Path(folder) / f"{recipe}.pb"
            result = shrink(options.model, out, recipe, outputs=[options.output], exact_zip=True)
            if recipe == next(iter(RECIPES)):
                _print("(original)", result.before.size, result.before.zipped.bytes, accuracy(options.model, options))
            _print(recipe, result.after.size, result.after.zipped.bytes, accuracy(out, options))


def _print(label: str, size: int, zipped: int, share: float) -> None:
    print(f"{label:12} {size / 1e6:8.2f} MB {zipped / 1e6:8.2f} MB zipped {share:8.2%}")


if __name__ == "__main__":
    main()
