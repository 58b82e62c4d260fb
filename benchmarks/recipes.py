"""What each recipe makes of models: nodes, sizes, and how near the answers stay, as the run itself verifies them.

Usage:
    python benchmarks/recipes.py MODEL.pb|FOLDER... [--recipe NAME...]

Prints a table in Markdown for each recipe. A model is called as its file or, where that is ``model.pb``, as its folder.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from pathlib import Path

from pbslim import RECIPES, PbslimError, Proof, shrink

MEGABYTE = 1e6


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.pb|FOLDER")
    parser.add_argument("--recipe", nargs="+", default=list(RECIPES), choices=list(RECIPES))
    options = parser.parse_args()
    models = [file for path in options.models for file in (sorted(path.rglob("*.pb")) if path.is_dir() else [path])]
    for recipe in options.recipe:
        print(f"\n{recipe}\n\n| model | nodes | MB | zipped MB | verdict | dB | equal |")
        print("| --- | ---: | ---: | ---: | --- | ---: | ---: |")
        for model in models:
            print(row(model, recipe), flush=True)


def row(model: Path, recipe: str) -> str:
    """One model by one recipe."""
    name = model.parent.name if model.stem == "model" else model.stem
    with tempfile.TemporaryDirectory() as folder:
        try:
            result = shrink(model, Path(folder) / "out.pb", recipe, exact_zip=True, proof=Proof())
        except PbslimError as error:
            print(f"{name}: {error}", file=sys.stderr)
            return f"| {name} | | | | not possible | | |"
    before, after, found = result.before, result.after, result.verification
    sizes = [
        f"{before.nodes} → {after.nodes}",
        f"{before.size / MEGABYTE:.2f} → {after.size / MEGABYTE:.2f}",
        f"{before.zipped.bytes / MEGABYTE:.2f} → {after.zipped.bytes / MEGABYTE:.2f}",
    ]
    if found is None:
        return f"| {name} | {' | '.join(sizes)} | not verified | | |"
    equal = f"{found.agreement.share:.1%}" if found.agreement else ""
    snr = "" if found.verdict.is_exact else f"{found.snr:.1f}"
    return f"| {name} | {' | '.join(sizes)} | {found.verdict} | {snr} | {equal} |"


if __name__ == "__main__":
    main()
