"""Size and accuracy of a classifier by each recipe.

Usage:
    python benchmarks/accuracy.py MODEL.pb EVAL.npz [--output CLASS]

EVAL.npz holds the inputs under the name of the placeholder and the classes under ``labels``; a class of -1 is padding,
and of a sequence of classes all must be right.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from pbslim import RECIPES, Proof, shrink


def main() -> None:
    """Print a row for the model as it is and one for each recipe."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path)
    parser.add_argument("eval", type=Path)
    parser.add_argument("--output", help="the output that holds the classes; found if not given")
    options = parser.parse_args()
    outputs = [options.output] if options.output else None
    with tempfile.TemporaryDirectory() as folder:
        for recipe in RECIPES:
            out, proof = Path(folder) / f"{recipe}.pb", Proof(evaluation=options.eval)
            result = shrink(options.model, out, recipe, outputs=outputs, exact_zip=True, proof=proof)
            found = result.verification
            if not found or not found.accuracy:
                raise SystemExit(result.not_verified)
            if recipe == next(iter(RECIPES)):
                _print("(original)", result.before.size, result.before.zipped.bytes, found.accuracy.first.share)
            _print(recipe, result.after.size, result.after.zipped.bytes, found.accuracy.second.share)


def _print(label: str, size: int, zipped: int, share: float) -> None:
    print(f"{label:12} {size / 1e6:8.2f} MB {zipped / 1e6:8.2f} MB zipped {share:8.2%}")


if __name__ == "__main__":
    main()
