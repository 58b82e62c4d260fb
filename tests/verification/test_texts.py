"""Made-up texts."""

from __future__ import annotations

import numpy as np

from pbslim.verification.texts import text


def test_texts_are_short_and_long_of_many_kinds_and_indented() -> None:
    made = [text(np.random.default_rng(seed)) for seed in range(60)]
    sizes = sorted(map(len, made))
    assert sizes[0] < 300 < 1500 < sizes[-1] < 20000
    assert all(each.isascii() and b"\0" not in each for each in made)
    assert len({each[:12].strip() for each in made}) > 40
    lines = [line for each in made for line in each.split(b"\n")]
    indented = [line for line in lines if line[:1] in (b" ", b"\t")]
    assert 0.4 < len(indented) / len(lines) < 0.95
    assert {line[: len(line) - len(line.lstrip())][-1:] for line in indented} == {b" ", b"\t"}


def test_texts_are_seeded_and_differ() -> None:
    one, same, other = (text(np.random.default_rng(seed)) for seed in (1, 1, 2))
    assert one == same != other
