"""Shrink a small trained digit classifier automatically and by each recipe, and see how its accuracy held.

The model was trained on handwritten digits (UCI Optical Recognition of Handwritten Digits, CC BY 4.0); the 397
images of the evaluation set were not used for training.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from rich import print  # noqa: A004
from rich.table import Table

from pbslim import PROMISES, RECIPES, CompressionOptions, Proof, ShrinkResult, Totals, shrink

HERE = Path(__file__).parent
MODEL = HERE / "digits.pb"
IMAGES = HERE / "digits_eval.npz"


def results(folder: Path) -> dict[str, ShrinkResult]:
    """The results of one quality and of each recipe, by name."""
    promise = PROMISES["balanced"]
    automatic = shrink(
        MODEL,
        folder / "balanced.pb",
        options=CompressionOptions(promise),
        proof=Proof(evaluation=IMAGES, min_snr=promise.snr),
    )
    proof = Proof(evaluation=IMAGES)
    by_recipe = {recipe: shrink(MODEL, folder / f"{recipe}.pb", recipe, proof=proof) for recipe in RECIPES}
    return {"balanced": automatic} | by_recipe


def figures(totals: Totals) -> list[str]:
    """Nodes, bytes and zipped bytes."""
    return [str(totals.nodes), str(totals.size), str(totals.zipped.bytes)]


def main() -> None:
    """Print a row for the model as it is and one for each result."""
    table = Table("shrunk by", "nodes", "bytes", "zipped", "accuracy", "verdict", "seconds")
    with tempfile.TemporaryDirectory() as folder:
        for name, result in results(Path(folder)).items():
            found = result.verification
            if not found or not found.accuracy:
                raise SystemExit(result.not_verified)
            before, after = (f"{each.share:.2%}" for each in (found.accuracy.first, found.accuracy.second))
            if not table.rows:
                table.add_row("original", *figures(result.before), before)
            table.add_row(name, *figures(result.after), after, str(found.verdict), f"{result.seconds:.2f}")
    print(table)


if __name__ == "__main__":
    main()
