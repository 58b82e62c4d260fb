from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pbslim.cli.arguments import plain


@pytest.mark.parametrize(
    ("argument", "wanted"),
    [
        ("–input=a", "--input=a"),
        ("—input=a", "--input=a"),
        ("-–input", "--input"),
        ("--outputs=“y”", "--outputs=y"),
        ("“y”", "y"),
        ("\u00a0--x=1", "--x=1"),
        ("--in=my–file—v2.pb", "--in=my–file—v2.pb"),
        ("--transforms=a(b=“c”) d", "--transforms=a(b=“c”) d"),
        ("-o", "-o"),
        ("–o", "-o"),
        ("-", "-"),
        ("–", "–"),
        ("plain.pb", "plain.pb"),
    ],
)
def test_repairs_only_what_articles_break(argument: str, wanted: str) -> None:
    repaired, notes = plain([argument])
    assert repaired == [wanted]
    assert bool(notes) == (argument != wanted)


def test_one_note_for_each_kind_of_repair() -> None:
    _, notes = plain(["–a=“1”", "–b=“2”"])
    assert len(notes) == 2


DASHES = "typographic dashes before options were read as --"
QUOTES = "typographic quotes around values were dropped"
BLANKS = "special blanks around options were dropped"


@pytest.mark.parametrize(
    ("given_", "meant", "notes"),
    [
        ("–in_graph=a.pb", "--in_graph=a.pb", [DASHES]),
        ("—in_graph=a.pb", "--in_graph=a.pb", [DASHES]),
        ("−−in_graph=a.pb", "--in_graph=a.pb", [DASHES]),
        ("–-in_graph", "--in_graph", [DASHES]),
        ("-–in_graph", "--in_graph", [DASHES]),
        ("–o", "-o", [DASHES]),
        ("--inputs=“x”", "--inputs=x", [QUOTES]),
        ("--inputs=‘x’", "--inputs=x", [QUOTES]),
        ("--inputs=“x", "--inputs=x", [QUOTES]),
        ("x”", "x", [QUOTES]),
        ("--transforms=“t(s=”1,2”)”", "--transforms=t(s=”1,2”)", [QUOTES]),
        ("\u00a0--inputs=x\u00a0", "--inputs=x", [BLANKS]),
        ("\u00a0–inputs=“x”", "--inputs=x", [BLANKS, DASHES, QUOTES]),
    ],
)
def test_mends_what_articles_do(given_: str, meant: str, notes: list[str]) -> None:
    assert plain([given_]) == ([meant], notes)


@pytest.mark.parametrize(
    "argument",
    [
        "",
        "-",
        "--",
        "-in_graph=a",
        "--in_graph=a–b.pb",
        "a—b.pb",
        "--in_graph=–b.pb",
        "−10",
        "–5.pb",
        "it’s.pb",
        "my\u00a0graph.pb",
        "--name=the “best”",
        "“a” or b",
        "--transforms=remove_nodes(op=“Identity”)",
        '--transforms=t(s="“")',
        "–",
    ],
)
def test_leaves_values_alone(argument: str) -> None:
    assert plain([argument]) == ([argument], [])


def test_what_follows_two_dashes_is_left() -> None:
    assert plain(["–in", "--", "–b", "“c”", "--"]) == (["--in", "--", "–b", "“c”", "--"], [DASHES])


@given(st.lists(st.text(st.characters(codec="ascii"), max_size=12), max_size=4))
def test_plain_arguments_stay(argv: list[str]) -> None:
    assert plain(argv) == (argv, [])


@given(st.lists(st.text("–-“”‘’=a1\u00a0 ", max_size=8), max_size=4))
def test_keeps_every_argument(argv: list[str]) -> None:
    found, notes = plain(argv)
    assert len(found) == len(argv)
    assert len(notes) == len(set(notes))
