"""Inputs that fit a graph."""

from __future__ import annotations

import numpy as np
import pytest

from pbslim.verification.batches import kept, renamed
from pbslim.verification.feeds import generate_samples
from tests.graphs import parse

SCALED = {
    "Mul(x, s)": ("s = Const(0.003921569)", (0, 255)),
    "RealDiv(x, s)": ("s = Const(255.0)", (0, 255)),
    "Sub(x, s)": ("s = Const([103.939, 116.779, 123.68])", (0, 255)),
    "Sub(m, one)": ("t = Const(2.0)\nm = Mul(x, t)\none = Const(1.0)", (0, 1)),
    "Mul(d, s)": ("o = Const(127.5)\nd = Sub(x, o)\ns = Const(0.0078431)", (0, 255)),
}


@pytest.mark.parametrize("op", SCALED)
def test_pixels_are_in_the_range_that_the_first_arithmetic_expects(op: str) -> None:
    constants, (low, high) = SCALED[op]
    graph, _ = parse(f"x = Placeholder(shape=[-1, 16, 16, 3])\n{constants}\ny = {op}\n-> y")
    found = generate_samples(graph, ["x"], samples=4).batches[0]["x"]
    assert found.shape == (4, 16, 16, 3)
    assert low <= found.min() < low + 0.2 * (high - low)
    assert high - 0.4 * (high - low) < found.max() <= high


def test_a_first_layer_tells_the_range() -> None:
    weights = np.random.default_rng(0).standard_normal((3, 3, 3, 8)) / 27**0.5
    for scale, wanted in ((1 / 80, 255), (4, 1)):
        filters = np.round(weights * scale, 4).tolist()
        lines = f"x = Placeholder(shape=[1, 16, 16, 3])\nw = Const({filters})"
        conv = "c = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')"
        graph, _ = parse(f"{lines}\n{conv}\ny = Relu(c)\n-> y")
        samples = generate_samples(graph, ["x"], samples=1)
        assert samples.batches[0]["x"].max() == pytest.approx(wanted, rel=0.35)
        assert "first layer" in samples.notes[0]


def test_indices_lie_in_their_table() -> None:
    table = np.zeros((5, 2)).tolist()
    graph, _ = parse(
        f"x = Placeholder(shape=[-1, 50], dtype='int32')\nt = Const({table})\na = Const(0, dtype='int32')\n"
        "y = GatherV2(t, x, a)\n-> y"
    )
    found = generate_samples(graph, ["x"], samples=2).batches[0]["x"]
    assert (found.min(), found.max()) == (0, 4)


def test_unknown_ranks_and_dimensions_are_guessed_and_told() -> None:
    filters = np.zeros((3, 3, 4, 2)).tolist()
    graph, _ = parse(
        f"x = Placeholder(shape=None)\nw = Const({filters})\n"
        "y = Conv2D(x, w, strides=[1, 1, 1, 1], padding='SAME')\n-> y"
    )
    samples = generate_samples(graph, ["x"], samples=1)
    assert samples.batches[0]["x"].shape == (1, 256, 256, 4)
    assert any("no known rank" in note for note in samples.notes)


@pytest.mark.parametrize(("name", "value"), [("keep_prob", 1.0), ("dropout/rate", 0.0), ("temperature", 1.0)])
def test_shares_to_keep_are_one(name: str, value: float) -> None:
    graph, _ = parse(f"{name} = Placeholder(shape=[])\nx = Placeholder(shape=[2])\ny = Mul(x, {name})\n-> y")
    assert generate_samples(graph, [name, "x"]).batches[0][name] == value


def test_flags_are_false_and_bytes_are_images() -> None:
    graph, _ = parse(
        "f = Placeholder(shape=[], dtype='bool')\nb = Placeholder(shape=[], dtype='string')\n"
        "y = DecodeJpeg(b, channels=3)\n-> y"
    )
    samples = generate_samples(graph, ["f", "b"], samples=3)
    assert [batch["f"].tolist() for batch in samples.batches] == [False] * 3
    contents = {batch["b"].item() for batch in samples.batches}
    assert len(contents) == 3
    assert all(content.startswith(b"\x89PNG") for content in contents)


def test_inputs_of_other_lengths_keep_them() -> None:
    shapes = {"x": [1, 6], "v": [6], "n": [0, 3], "b": [-1]}
    lines = [f"{name} = Placeholder(shape={shape})" for name, shape in shapes.items()]
    graph, _ = parse("\n".join([*lines, "y = AddN(x, v, n, b)", "-> y"]))
    batch = generate_samples(graph, ["x", "v", "n", "b"], samples=1).batches[0]
    assert {name: value.shape for name, value in batch.items()} == {"x": (1, 6), "v": (6,), "n": (0, 3), "b": (1,)}


def test_samples_are_seeded_and_come_in_batches_that_fit() -> None:
    graph, _ = parse("x = Placeholder(shape=[3, 5])\ny = Neg(x)\n-> y")
    one, same, other = (generate_samples(graph, ["x"], samples=7, seed=seed).batches for seed in (0, 0, 1))
    assert [batch["x"].shape for batch in one] == [(3, 5)] * 3
    assert all(np.array_equal(a["x"], b["x"]) for a, b in zip(one, same, strict=True))
    assert not np.array_equal(one[0]["x"], other[0]["x"])
    assert not np.array_equal(one[0]["x"], one[1]["x"])


def test_signals_are_made_in_two_ways_where_they_are_to_be_varied() -> None:
    graph, _ = parse("x = Placeholder(dtype='float', shape=[-1, 64, 32])\ny = Neg(x)\n-> y")
    plain, varied = (generate_samples(graph, ["x"], samples=4, varied=each).batches[0]["x"] for each in (False, True))
    np.testing.assert_array_equal(varied[::2], plain[::2])
    assert not np.array_equal(varied[1::2], plain[1::2])
    # Few courses make up an event, and any number noise.
    strongest = [
        np.linalg.svd(each, compute_uv=False)[:, :3].sum() / np.linalg.svd(each, compute_uv=False).sum()
        for each in (plain[1::2], varied[1::2])
    ]
    assert strongest[0] < 0.25 < strongest[1]


@pytest.mark.parametrize(("channels", "turns", "what"), [(1, 2, "drawings"), (3, 8, "portraits")])
def test_some_pictures_are_made_up_unless_they_are_given(channels: int, turns: int, what: str) -> None:
    graph, _ = parse(f"x = Placeholder(dtype='float', shape=[-1, 32, 32, {channels}])\ny = Neg(x)\n-> y")
    found, plain = (generate_samples(graph, ["x"], samples=8, made_up=each, varied=True) for each in (True, False))
    assert (found.origin, plain.origin) == (f"photographs and {what}", "photographs")
    mixed, photos = (np.concatenate([batch["x"] for batch in each.batches]) for each in (found, plain))
    is_photo = np.arange(8) % turns != turns - 1
    np.testing.assert_array_equal(mixed[is_photo], photos[: is_photo.sum()])
    assert not any((photos == picture).all(axis=(1, 2, 3)).any() for picture in mixed[~is_photo])


@pytest.mark.parametrize(("shape", "what"), [([16000], "signals"), ([96, 64], "signals"), ([128], "values")])
def test_what_neighbours_go_together_in_is_a_signal(shape: list[int], what: str) -> None:
    graph, _ = parse(f"x = Placeholder(dtype='float', shape={[-1, *shape]})\ny = Neg(x)\n-> y")
    assert generate_samples(graph, ["x"], samples=1).origin == f"generated {what}"


def test_batches_of_large_inputs_are_smaller_and_hold_the_same_samples() -> None:
    graph, _ = parse("x = Placeholder(shape=[-1, 256, 256, 3])\ny = Relu(x)\n-> y")
    small, usual = (generate_samples(graph, ["x"], samples=5, batch=size).batches for size in (None, 4))
    assert [len(batch["x"]) for batch in small] == [2, 2, 1]
    assert [len(batch["x"]) for batch in usual] == [4, 1]
    one, other = (np.concatenate([batch["x"] for batch in batches]) for batches in (small, usual))
    assert np.array_equal(one, other)


def test_a_part_of_the_batches_is_made_of_the_same_numbers() -> None:
    graph, _ = parse("x = Placeholder(shape=[-1, 3])\ny = Relu(x)\n-> y")
    batches = generate_samples(graph, ["x"], samples=10).batches
    assert [len(batch["x"]) for batch in batches] == [4, 4, 2]
    assert len(batches[1:]) == 2
    assert np.array_equal(batches[1:][0]["x"], batches[1]["x"])
    assert np.array_equal(renamed(batches, ["z"])[2]["z"], batches[2]["x"])


def test_kept_batches_are_those_that_were_made() -> None:
    graph, _ = parse("x = Placeholder(shape=[-1, 256, 256, 3])\nk = Placeholder(shape=[])\ny = Mul(x, k)\n-> y")
    batches = generate_samples(graph, ["x", "k"], samples=3).batches
    found = kept(batches)
    assert [batch.keys() for batch in found] == [{"x", "k"}] * 2
    assert all(
        np.array_equal(one[name], other[name]) for one, other in zip(batches, found, strict=True) for name in one
    )
