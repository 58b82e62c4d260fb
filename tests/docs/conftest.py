"""Pages are played once, however many readers they have, and however many processes run the tests."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.pages import READERS, play, play_with

Reading = Callable[[str, str], None]


@pytest.fixture(scope="module")
def read(tmp_path_factory: pytest.TempPathFactory) -> Reading:
    """Do what a page says, as one of its readers; empty for what everybody can do."""

    base = tmp_path_factory.getbasetemp()  # where pytest-xdist runs tests, within one that is for all its processes
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def played(page: str) -> Path:
        note = shared / f"{page.replace('/', '-')}.played"
        with _locked(note.with_suffix(".lock")):
            if not note.exists():
                folder = tmp_path_factory.mktemp("page")
                play(page, folder)
                note.write_text(str(folder))
        return Path(note.read_text())

    def read_as(page: str, reader: str) -> None:
        if reader and not READERS[reader]():
            pytest.skip(f"no {reader} here")
        folder = played(page)
        if reader:  # another one may be reading the same page
            play_with(page, reader, shutil.copytree(folder, tmp_path_factory.mktemp("reader") / "page", symlinks=True))

    return read_as


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Let no other process in before this one is done."""
    import fcntl  # no other system than POSIX has it, nor the shell that pages are written for

    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
