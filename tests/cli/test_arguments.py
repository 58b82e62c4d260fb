from __future__ import annotations

import pytest

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
