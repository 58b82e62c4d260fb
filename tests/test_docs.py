"""The documentation is whole: blocks say what they are (`tests/docs` runs them), and what scripts make is current."""

from __future__ import annotations

import re

import pytest

import pbslim
from tests.pages import PAGES, READERS, blocks
from tests.shared import ROOT, script


@pytest.mark.parametrize("page", PAGES)
def test_every_block_says_what_it_is(page: str) -> None:
    found = blocks(page)
    assert len(re.findall("^```", PAGES[page].read_text(), re.MULTILINE)) == 2 * len(found)
    for block in found:
        assert block.known, block
        assert block.reader in READERS or not block.reader, block


@pytest.mark.parametrize("page", [page for page in PAGES if page.endswith(".zh.md")])
def test_a_translation_says_the_same(page: str) -> None:
    """As far as can be seen in any language: blocks, links, sections, rows of tables, and what is written as code."""
    original = page.replace(".zh.md", ".md")
    assert blocks(page) == blocks(original)
    ours, theirs = (
        (
            {link.replace(".zh.md", ".md") for link in re.findall(r"\]\(([^\s)]+)\)", text)},
            re.findall("^(#+ |[|] )", text, re.MULTILINE),
        )
        for text in (PAGES[name].read_text() for name in (page, original))
    )
    assert ours == theirs
    our_code, their_code = (
        set(re.findall(r"`([^`\n]+)`", re.sub("(?s)^```.*?^```", "", PAGES[name].read_text(), flags=re.MULTILINE)))
        for name in (page, original)
    )
    assert their_code <= our_code


def test_every_public_name_is_on_one_page() -> None:
    described = [name for page in PAGES.values() for name in re.findall(r"^::: pbslim\.(\w+)$", page.read_text(), re.M)]
    assert sorted(described) == sorted(name for name in dir(pbslim) if not name.startswith("_"))


def test_every_transform_is_described() -> None:
    from pbslim.passes import registry

    changelog = (ROOT / "CHANGELOG.md").read_text()
    for name in registry.names():
        assert f"`{name}`" in changelog
        manual = registry.find(name).manual
        assert re.match(r"[A-Z][^\n]+\n\nBefore::  .*\n(?:  .*\n)*After::   ", manual), name


def test_the_pages_of_the_transforms_are_current() -> None:
    folder = ROOT / "docs" / "transforms"
    written = {file.name: file.read_text() for file in folder.glob("*.md")}
    assert written == script("make_transform_pages").pages(), "run: python scripts/make_transform_pages.py"


def test_the_picture_of_the_rooms_is_current() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    assert script("draw_rooms").drawn(text) == text, "run: python scripts/draw_rooms.py"
