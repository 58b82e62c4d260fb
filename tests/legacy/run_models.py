"""Run each shared model plain and from packages, in one process that a crash may end; prints what came out.

Usage:
    python run_models.py SIZE...

Each is the size from which on constants are mapped.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

import numpy as np

import pbslim
from pbslim.engines.tensorflow import session
from pbslim.verification import compare_arrays
from pbslim.wire.memmapped import lay_out
from tests.shared import models


def main() -> None:
    for folder in models():
        with np.load(folder / "feeds.npz") as feeds, np.load(folder / "expected.npz") as expected:
            fed, names = dict(feeds), list(expected)
        with session(folder / "model.pb", folding=False) as run:
            plain = run(fed, names)
        for size in sys.argv[1:]:
            with tempfile.TemporaryDirectory() as scratch:
                package = Path(scratch) / "g.pbmm"
                result = pbslim.convert_graphdef_memmapped_format(
                    folder / "model.pb", package, min_conversion_tensor_size=int(size)
                )
                with session(lay_out(package, Path(scratch)), folding=False) as run:
                    mapped = run(fed, names)
            # The same kernels on the same numbers: nothing is folded, and so nothing may differ.
            found = [compare_arrays(*each, rtol=0, atol=0) for each in zip(names, plain, mapped, strict=True)]
            problems = [each.problem for each in found if each.problem]
            print(size, folder.name, len(result.converted), *problems, flush=True)  # noqa: T201


main()
