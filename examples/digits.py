"""Shrink a small trained digit classifier by each recipe, and see how its answers and its accuracy held.

The model was trained on handwritten digits (UCI Optical Recognition of Handwritten Digits, CC BY 4.0); the 397
images of the evaluation set were not used for training.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich import print  # noqa: A004
from rich.table import Table

from pbslim import RECIPES, Proof, Totals, shrink

HERE = Path(__file__).parent


def figures(totals: Totals) -> list[str]:
    """Nodes, bytes and zipped bytes."""
    return [str(totals.nodes), str(totals.size), str(totals.zipped.bytes)]


def main() -> None:
    """Print a row for the model as it is and one for each recipe."""
    table = Table("recipe", "nodes", "bytes", "zipped", "accuracy", "verdict", "seconds")
    proof = Proof(evaluation=HERE / "digits_eval.npz")
    with tempfile.TemporaryDirectory() as folder:
        for recipe in RECIPES:
            result = shrink(HERE / "digits.pb", Path(folder) / f"{recipe}.pb", recipe, proof=proof)
            found = result.verification
            if not found or not found.accuracy:
                raise SystemExit(result.not_verified)
            if not table.rows:
                table.add_row("(original)", *figures(result.before), f"{found.accuracy.first.share:.2%}")
            accuracy = f"{found.accuracy.second.share:.2%}"
            table.add_row(recipe, *figures(result.after), accuracy, str(found.verdict), f"{result.seconds:.3f}")
    print(table)


if __name__ == "__main__":
    main()
