"""Every command and every program in the chapters (recipes, how it works) runs as it stands there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.pages import readings


@pytest.mark.parametrize(("page", "reader"), readings(lambda page: page.count("/") == 2))
def test_what_the_page_says_can_be_done(page: str, reader: str, read: Callable[[str, str], None]) -> None:
    read(page, reader)
