"""A build can fail when a model grew."""

from __future__ import annotations

from pathlib import Path

import pbslim
from tests import commands
from tests.graphs import parse

MODEL = "x = Placeholder(shape=[2, 3])\ny = Neg(x)\n"


def test_a_model_that_grew_fails_though_it_computes_the_same(tmp_path: Path) -> None:
    small, large = tmp_path / "small.pb", tmp_path / "large.pb"
    pbslim.save(parse(f"{MODEL}-> y")[0], small)
    pbslim.save(parse(f"{MODEL}c = Const([1, 2, 3])\n-> y")[0], large)
    sizes = small.stat().st_size, large.stat().st_size
    growth = sizes[1] / sizes[0] - 1
    both = ["verify", small, large, "--outputs=y"]
    assert commands.run(*both, f"--max-growth={growth + 1e-6:.9f}").code == 0
    done = commands.run(*both, f"--max-growth={growth - 1e-6:.9f}")
    assert done.code == 1
    assert f"failed: the file grows by {growth:.2%}, from {sizes[0]} to {sizes[1]} bytes" in done.err
    assert commands.run("verify", large, small, "--outputs=y", "--max-growth=0%").code == 0
    assert not pbslim.verify(small, large, outputs=["y"], max_growth=0).agrees
