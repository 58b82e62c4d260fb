"""Given inputs that prove nothing: what looks equal on them may be anything."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from pbslim import UsageError, verify
from pbslim.shrinking.proof import Proof
from pbslim.shrinking.shrink import shrink
from tests import commands
from tests.cli.test_commands import DIGITS

NOT_FINITE = "has NaN or infinite values; a comparison needs finite numbers\n"


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def _save(name: str, value: float, labels: np.ndarray | None = None) -> None:
    images = np.zeros((12, 8, 8, 1), np.float32)
    images[3, 2, 1] = value
    if labels is None:
        np.savez(name, input=images)
    else:
        np.savez(name, input=images, labels=labels)


LABELS = np.arange(12) % 10


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_comparison_on_numbers_that_are_not_finite_is_refused(value: float) -> None:
    _save("feeds.npz", value)
    _save("eval.npz", value, labels=LABELS)
    for words in (["--feeds", "feeds.npz"], ["--eval", "eval.npz"]):
        done = commands.run("verify", DIGITS, DIGITS, *words)
        assert done.refused
        assert done.err == f"error: 'input' in '{words[1]}' {NOT_FINITE}"
    with pytest.raises(UsageError, match="'input' in the given inputs has NaN or infinite values"):
        verify(DIGITS, DIGITS, feeds=dict(np.load("feeds.npz")))
    np.save("feeds.npy", np.load("feeds.npz")["input"])
    assert commands.run("verify", DIGITS, DIGITS, "--feeds", "feeds.npy").err == f"error: 'feeds.npy' {NOT_FINITE}"


@pytest.mark.parametrize("recipe", [[], ["--recipe", "optimize"]])
def test_nothing_is_proven_by_numbers_that_are_not_finite(recipe: list[str]) -> None:
    _save("eval.npz", np.nan, labels=LABELS)
    done = commands.run("shrink", DIGITS, "-o", "out.pb", "--eval", "eval.npz", *recipe)
    assert done.refused
    assert done.err == f"error: 'input' in 'eval.npz' {NOT_FINITE}"
    assert not Path("out.pb").exists()


def test_labels_may_be_anything() -> None:
    _save("eval.npz", 1.0, labels=np.where(LABELS == 3, np.nan, LABELS))
    assert commands.run("verify", DIGITS, DIGITS, "--eval", "eval.npz").code == 0


def test_a_promise_is_not_proven_on_samples_that_are_all_the_same() -> None:
    _save("eval.npz", 0.0, labels=LABELS)
    done = commands.run("shrink", DIGITS, "-o", "out.pb", "--eval", "eval.npz")
    assert done.refused
    assert done.err == "error: all samples in 'eval.npz' are the same; a comparison needs different ones\n"
    with pytest.raises(UsageError, match="are the same"):
        shrink(DIGITS, "out.pb", proof=Proof(Path("eval.npz")))
    assert not Path("out.pb").exists()
    assert commands.run("shrink", DIGITS, "-o", "out.pb", "--eval", "eval.npz", "--recipe", "optimize").code == 0


def test_one_sample_is_not_called_the_same() -> None:
    np.savez("eval.npz", input=np.ones((1, 8, 8, 1), np.float32), labels=np.array([3]))
    done = commands.run("shrink", DIGITS, "-o", "out.pb", "--eval", "eval.npz", "--scheme", "*=float32")
    assert "the same" not in done.err
