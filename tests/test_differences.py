"""The pages that tell where pbslim differs from TensorFlow's tools."""

from __future__ import annotations

import re

import pytest

from tests.shared import ROOT, documented

INDEX = (ROOT / "docs" / "differences.md").read_text()
PAGES = {page.stem: page.read_text() for page in sorted((ROOT / "docs" / "differences").glob("*.md"))}


def test_the_index_links_every_page() -> None:
    assert set(re.findall(r"^- \[(\w+)\]\(differences/\1\.md\)$", INDEX, re.MULTILINE)) == set(PAGES)


def test_the_index_lists_the_golden_cases_of_every_page() -> None:
    listed = re.findall(r"\| `golden:([\w/-]+)` \| \[(\w+)\]\(differences/\2\.md\) \|", INDEX)
    assert {case for case, _ in listed} == documented()
    named = {(case, name) for name, text in PAGES.items() for case in re.findall(r"`golden:([\w/-]+)`", text)}
    assert set(listed) == named


@pytest.mark.parametrize("text", [INDEX, *PAGES.values()], ids=["index", *PAGES])
def test_rows_have_a_cell_for_each_column(text: str) -> None:
    tables = re.findall(r"(?:^\|.*\n)+", text, re.MULTILINE)
    assert tables
    for table in tables:
        head, rule, *rows = table.splitlines()
        assert re.fullmatch(r"\|( --- \|)+", rule)
        assert rows
        for row in (head, *rows):
            assert len(re.split(r" \|(?: |$)", row.replace("| |", "| - |"))) == rule.count("---") + 1, row
