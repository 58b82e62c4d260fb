"""Pages are played once, however many readers they have."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from tests.pages import READERS, play, play_with

Reading = Callable[[str, str], None]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """Do what a page says, as one of its readers; empty for what everybody can do."""

    @cache
    def played(page: str) -> Path:
        folder = tmp_path_factory.mktemp("page")
        play(page, folder)
        return folder

    def read_as(page: str, reader: str) -> None:
        if reader and not READERS[reader]():
            pytest.skip(f"no {reader} here")
        folder = played(page)
        if reader:
            play_with(page, reader, folder)

    return read_as
