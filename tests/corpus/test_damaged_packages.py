"""Damaged packages: one clear line for each, no hang, and no memory to speak of."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbslim.dtypes import DType
from pbslim.ir import ArrayTensor, Graph
from pbslim.legacy.convert_graphdef_memmapped_format import TYPES
from tests import functions, packages
from tests.corpus.reading import read_damaged
from tests.repeating import TIMES
from tests.shared import ROOT, SHARED

COUNT = 125 * TIMES

CALLS = """
    x = Placeholder(shape=(2, 2))
    w = Const([[1, 2], [3, 4]])
    a = Reads(x)
    d = MatMul(a, w)
    -> d
"""
FUNCTIONS = {
    "Reads(a: float)": """
        w = Const([[1, 2], [3, 5]])
        y = MatMul(a, w:output:0)
        -> result = y:product:0
    """
}


def every_type() -> Graph:
    graph = Graph()
    for k, name in enumerate(sorted(TYPES)):
        dtype = DType.parse(name)
        value = ArrayTensor(np.arange(20 + k).astype(dtype.numpy), dtype)
        graph.add(f"scope/{name}", "Const", attrs={"dtype": dtype, "value": value, "_class": (b"loc:@x",)})
    return graph


@pytest.fixture
def sound(tmp_path: Path) -> Path:
    """A folder of packages with nothing wrong."""
    folder = tmp_path / "sound"
    folder.mkdir()
    made = {
        "digits": packages.convert(ROOT / "examples" / "digits.pb", tmp_path),
        "digits_reference": packages.convert(ROOT / "examples" / "digits.pb", tmp_path, 100, reference=True),
        "functions": packages.convert(functions.load(CALLS, FUNCTIONS), tmp_path),
        "types": packages.convert(every_type(), tmp_path),
    }
    old = packages.take_apart(made["types"])
    for entry in old.entries:
        entry.length = 0
    made["old"] = old.to_bytes()
    made |= {file.parent.name: file.read_bytes() for file in (SHARED / "golden" / "memmapped").glob("*/out.pb")}
    for name, content in made.items():
        (folder / f"{name}.pbmm").write_bytes(content)
    return folder


@pytest.mark.slow
def test_damaged_packages(sound: Path) -> None:
    found = read_damaged("packages", sound, COUNT)
    assert found["refused"] > COUNT / 2, "or the seeds do no damage"
    assert found["a package"] > COUNT / 20, "or nothing gets further than the directory"
