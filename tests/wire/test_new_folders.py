"""Folders appear whole or not at all."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pbslim.errors import DecodeError, PbslimError
from pbslim.wire.outputs import new_folder
from pbslim.wire.sources import open_source

posix = pytest.mark.skipif(os.name != "posix", reason="no such signals or links here")
BLOCKED = """
import sys, time
from pathlib import Path
from pbslim.wire.outputs import new_folder
with new_folder(Path(sys.argv[1])) as place:
    (place / "deep").mkdir()
    (place / "deep" / "f").write_bytes(b"x")
    print("ready", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing half done may be left."""
    yield tmp_path
    assert not list(tmp_path.rglob(".pbslim*"))


def fill(path: Path, name: str = "new") -> None:
    with new_folder(path) as place:
        (place / name).write_bytes(b"content")


def test_it_is_there_at_the_end_in_the_place_of_another(folder: Path) -> None:
    for name in ("old", "new"):
        with new_folder(folder / "d") as place:
            (place / name).touch()
            assert place.parent == folder
            assert not (folder / "d" / name).exists()
        assert [path.name for path in (folder / "d").iterdir()] == [name]


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_leaves_what_was_there(folder: Path, error: type[BaseException]) -> None:
    fill(folder / "d", "old")

    def fail(target: Path) -> None:
        with new_folder(target) as place:
            (place / "new").touch()
            raise error

    for name in ("d", "e"):
        with pytest.raises((error, PbslimError)):
            fail(folder / name)
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*")] == ["d", "d/old"]


def test_a_folder_that_cannot_take_its_place_leaves_what_was_there(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fill(folder / "d", "old")
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if path.suffix == ".part":
            raise OSError(28, "No space left on device")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PbslimError, match=r"cannot write '.*d': No space left on device"):
        fill(folder / "d")
    assert [path.relative_to(folder).as_posix() for path in folder.rglob("*")] == ["d", "d/old"]


def test_an_input_must_not_change_meanwhile(folder: Path) -> None:
    (folder / "f").write_bytes(b"before")

    def change() -> None:
        with new_folder(folder / "d", open_source(folder / "f")):
            (folder / "f").write_bytes(b"and after")

    with pytest.raises(DecodeError, match="was changed while it was read"):
        change()
    assert [path.name for path in folder.iterdir()] == ["f"]


@posix
def test_a_link_stays_and_leads_to_the_new_content(folder: Path) -> None:
    fill(folder / "there", "old")
    (folder / "link").symlink_to("there")
    fill(folder / "link")
    assert (folder / "link").is_symlink()
    assert [path.name for path in (folder / "there").iterdir()] == ["new"]


@pytest.mark.parametrize(("name", "message"), [("file", "it is not a folder"), ("gone/d", "No such file or directory")])
def test_where_no_folder_can_be(folder: Path, name: str, message: str) -> None:
    (folder / "file").touch()
    with pytest.raises(PbslimError, match=message):
        fill(folder / name)


@posix
def test_a_signal_leaves_nothing(folder: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", BLOCKED, folder / "d"], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    assert len(list(folder.iterdir())) == 1
    child.terminate()
    child.communicate()
    assert child.returncode == -signal.SIGTERM
    assert not list(folder.iterdir())


@posix
def test_what_a_killed_run_left_goes_when_it_is_old(folder: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", BLOCKED, folder / "d"], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    child.kill()
    child.communicate()
    (part,) = folder.iterdir()
    fill(folder / "d")
    assert part.exists()  # perhaps its run goes on
    os.utime(part, (time.time() - 86400,) * 2)
    fill(folder / "d")
    assert [path.name for path in folder.iterdir()] == ["d"]
