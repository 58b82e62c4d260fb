"""Shrink a small trained digit classifier by each recipe and see whether its accuracy held.

The model was trained on handwritten digits (UCI Optical Recognition of Handwritten Digits, CC BY 4.0); the 397
images of the evaluation set were not used for training. Needs TensorFlow: pip install 'pbslim[tensorflow]'.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
from rich import print  # noqa: A004
from rich.table import Table

from pbslim import shrink
from pbslim.engines import tensorflow
from pbslim.shrinking.recipes import RECIPES

HERE = Path(__file__).parent


def accuracy(model: Path) -> float:
    """The share of evaluation images of which the model names the digit."""
    with np.load(HERE / "digits_eval.npz") as file:
        images, labels = file["input"], file["labels"]
    (predicted,) = tensorflow.run(model, {"input": images}, ["class"])
    return float(np.mean(predicted == labels))


def main() -> None:
    """Print a row for the model as it is and one for each recipe."""
    model = HERE / "digits.pb"
    table = Table("recipe", "nodes", "bytes", "zipped", "accuracy", "seconds")
    with tempfile.TemporaryDirectory() as folder:
        made = {recipe: Path(folder) / f"digits-{recipe}.pb" for recipe in RECIPES}
        results = {recipe: shrink(model, out, recipe) for recipe, out in made.items()}
        before = results["optimize"].before
        original = [str(before.nodes), str(before.size), str(before.zipped.bytes), f"{accuracy(model):.2%}"]
        table.add_row("(original)", *original)
        for recipe, result in results.items():
            after = result.after
            figures = [str(after.nodes), str(after.size), str(after.zipped.bytes), f"{accuracy(made[recipe]):.2%}"]
            table.add_row(recipe, *figures, f"{result.seconds:.3f}")
    print(table)


if __name__ == "__main__":
    main()
