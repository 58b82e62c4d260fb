"""Inputs: only what is asked for is read, and what changes meanwhile is an error."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

import pbslim
from pbslim.errors import DecodeError
from pbslim.wire.sources import InputFile, open_source, part
from pbslim.wire.varint import fields, length_delimited, tag, varint
from tests.shared import ROOT

DIGITS = ROOT / "examples" / "digits.pb"
posix = pytest.mark.skipif(os.name != "posix", reason="no such files here")


def test_a_file_is_indexed_like_bytes(tmp_path: Path) -> None:
    content = os.urandom(20_000)
    (tmp_path / "f").write_bytes(content)
    for source in (open_source(tmp_path / "f"), memoryview(content)):
        assert len(source) == 20_000
        for start, stop in ((0, 10), (-8, None), (5000, 17_000), (19_990, 30_000), (7, 7), (9, 3)):
            key = slice(start, stop)
            assert bytes(source[key]) == content[key]
        assert [source[at] for at in (0, 19_999, 4095, 4096)] == [content[at] for at in (0, 19_999, 4095, 4096)]
        with pytest.raises(IndexError):
            source[20_000]
        inner = part(source, 100, 300)
        assert (len(inner), bytes(inner[:]), inner[1]) == (200, content[100:300], content[101])


@posix
def test_a_pipe_is_read_whole(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    writer = threading.Thread(target=lambda: (tmp_path / "pipe").write_bytes(DIGITS.read_bytes()))
    writer.start()
    assert len(pbslim.load(tmp_path / "pipe")) == 84
    writer.join()


@posix
@pytest.mark.parametrize("name", ["-", "/dev/stdin", "/dev/fd/0"])
def test_standard_input(name: str) -> None:
    code = f"import pbslim; print(len(pbslim.load({name!r})))"
    piped = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, input=DIGITS.read_bytes())
    with DIGITS.open("rb") as file:
        opened = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, stdin=file)
    assert piped.stdout == opened.stdout == b"84\n"


def test_what_is_no_file(tmp_path: Path) -> None:
    for path, says in (
        (tmp_path, "is a directory"),
        (tmp_path / "no", "No such file or directory"),
        (tmp_path / ("x" * 300), "File name too long"),
        (Path("~nosuchuser/x.pb"), "cannot read '~nosuchuser/x.pb': No such file"),
        (Path(os.devnull), "is a device, not a GraphDef"),
    ):
        with pytest.raises(DecodeError, match=says):
            pbslim.load(path)


def truncate(path: Path) -> None:
    os.truncate(path, 300_000)


def overwrite(path: Path) -> None:
    with path.open("r+b") as file:
        file.write(b"\0")


def replace(path: Path) -> None:
    other = path.with_name("other")
    other.write_bytes(path.read_bytes())
    other.replace(path)


CHANGES: list[Callable[[Path], None]] = [truncate, overwrite, replace, Path.unlink]


@pytest.mark.parametrize("change", CHANGES, ids=["truncate", "overwrite", "replace", "remove"])
def test_an_input_that_changes_gives_no_output(tmp_path: Path, change: Callable[[Path], None]) -> None:
    path, out = tmp_path / "f.pb", tmp_path / "out.pb"
    path.write_bytes(DIGITS.read_bytes())
    out.write_bytes(b"old")
    graph = pbslim.load(path)
    pbslim.transform(graph, "round_weights")
    change(path)
    with pytest.raises(DecodeError, match=r"'.*f\.pb' was changed while it was read; try again"):
        pbslim.save(graph, out)
    assert out.read_bytes() == b"old"
    assert {p.name for p in tmp_path.iterdir()} <= {"f.pb", "out.pb"}


def test_a_graph_is_saved_over_its_own_source_again_and_again(tmp_path: Path) -> None:
    path = tmp_path / "f.pb"
    path.write_bytes(DIGITS.read_bytes())
    graph = pbslim.load(path)
    for transforms in ("round_weights", "remove_device", "sort_by_execution_order"):
        pbslim.transform(graph, transforms)
        pbslim.save(graph, path)
        assert len(pbslim.load(path)) == 84
    pbslim.save(graph, tmp_path / "other.pb")


def test_a_read_that_gives_too_little(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_bytes(bytes(10_000))
    source = open_source(path)
    assert isinstance(source, InputFile)
    os.truncate(path, 100)
    with pytest.raises(DecodeError, match="was changed while it was read"):
        source[5000:6000]


def _read(source: InputFile | bytes, end: int) -> list[tuple[int, int, int, int]] | str:
    try:
        return list(fields(source, 0, end, "a message"))
    except DecodeError as error:
        return str(error)


def test_fields_of_a_file_are_those_of_its_bytes(tmp_path: Path) -> None:
    """Whole messages, longer than what is read ahead, and cut or damaged ones, of which the same is said."""
    numbers = random.Random(3)  # noqa: S311
    path = tmp_path / "message"
    for _ in range(200):
        data = bytearray()
        while len(data) < numbers.choice([10, 700]):
            number, size = numbers.choice([1, 15, 16, 5000]), numbers.choice([0, 5, 127, 128, 300])
            data += (
                length_delimited(number, bytes(size)) if numbers.random() < 0.7 else tag(number, 0) + varint(1 << 60)
            )
        if numbers.random() < 0.5:
            data[numbers.randrange(len(data))] = 0xFF
        end = numbers.randrange(len(data) + 1)
        path.write_bytes(data)
        source = open_source(path)
        assert isinstance(source, InputFile)
        assert _read(source, end) == _read(bytes(data), end)
