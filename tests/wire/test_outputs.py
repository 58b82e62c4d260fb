"""Files appear whole or not at all, where their names lead, and nothing else is left behind."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import pbslim
from pbslim.errors import PbslimError, UsageError
from pbslim.wire.outputs import replacing, require_apart
from tests.graphs import parse
from tests.shared import ROOT

DIGITS = ROOT / "examples" / "digits.pb"
posix = pytest.mark.skipif(os.name != "posix", reason="no such files here")


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Path]:
    """A folder in which nothing is left but what has a name that does not start with a dot."""
    yield tmp_path
    assert not [path for path in tmp_path.rglob(".*") if path.suffix == ".part"]


def write(path: Path, content: bytes = b"new") -> None:
    with replacing(path) as out:
        out.write(content)


def test_the_file_is_there_at_the_end(folder: Path) -> None:
    path = folder / "f"
    path.write_bytes(b"old")
    with replacing(path) as out:
        out.write(b"new")
        out.flush()
        assert path.read_bytes() == b"old"
        assert Path(out.name).read_bytes() == b"new"
    assert path.read_bytes() == b"new"


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, OSError])
def test_a_failure_leaves_what_was_there(folder: Path, error: type[BaseException]) -> None:
    path = folder / "f"
    path.write_bytes(b"old")

    def fail() -> None:
        with replacing(path) as out:
            out.write(b"new")
            raise error

    with pytest.raises((error, PbslimError)):
        fail()
    assert [(p.name, p.read_bytes()) for p in folder.iterdir()] == [("f", b"old")]


@posix
def test_links_stay_and_lead_to_the_new_content(folder: Path) -> None:
    (folder / "there").mkdir()
    (folder / "there" / "f").write_bytes(b"old")
    (folder / "link").symlink_to("there/f")
    (folder / "again").symlink_to(folder / "link")
    (folder / "nowhere").symlink_to("there/g")
    write(folder / "again")
    write(folder / "nowhere", b"made")
    assert (folder / "there" / "f").read_bytes() == b"new"
    assert (folder / "there" / "g").read_bytes() == b"made"
    assert all((folder / name).is_symlink() for name in ("link", "again", "nowhere"))


@posix
def test_links_in_a_circle(folder: Path) -> None:
    (folder / "a").symlink_to("b")
    (folder / "b").symlink_to("a")
    with pytest.raises(PbslimError, match=r"cannot write '.*a': Too many levels of symbolic links"):
        write(folder / "a")


@posix
@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o751])
def test_the_mode_of_a_file_stays(folder: Path, mode: int) -> None:
    path = folder / "f"
    path.write_bytes(b"old")
    path.chmod(mode)
    write(path)
    assert stat.S_IMODE(path.stat().st_mode) == mode


@posix
@pytest.mark.parametrize("mask", [0o022, 0o077, 0o002])
def test_a_new_file_honours_the_umask(folder: Path, mask: int) -> None:
    before = os.umask(mask)
    try:
        write(folder / "f")
    finally:
        os.umask(before)
    assert stat.S_IMODE((folder / "f").stat().st_mode) == 0o666 & ~mask


@posix
@pytest.mark.skipif(os.name == "posix" and os.geteuid() != 0, reason="only root gives files away")
def test_the_owner_of_a_file_stays(folder: Path) -> None:
    path = folder / "f"
    path.write_bytes(b"old")
    os.chown(path, 12345, 54321)
    write(path)
    assert (path.stat().st_uid, path.stat().st_gid) == (12345, 54321)


@posix
def test_a_pipe_is_written_into(folder: Path) -> None:
    path, content = folder / "pipe", os.urandom(3_000_000)
    os.mkfifo(path)
    got: list[bytes] = []
    reader = threading.Thread(target=lambda: got.append(path.read_bytes()))
    reader.start()
    write(path, content)
    reader.join()
    assert got == [content]
    assert stat.S_ISFIFO(path.stat().st_mode)
    assert [p.name for p in folder.iterdir()] == ["pipe"]


@posix
def test_a_device_is_written_into(folder: Path) -> None:
    path = folder / "null"
    try:
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, 3))  # what /dev/null is
        path.write_bytes(b"")
    except OSError:
        pytest.skip("no right to make devices")
    write(path)
    assert stat.S_ISCHR(path.stat().st_mode)


@pytest.mark.slow
@posix
def test_standard_output(folder: Path) -> None:
    code = "import sys; import pbslim; g = pbslim.load(sys.argv[1]); [pbslim.save(g, p) for p in sys.argv[2:]]"
    for names in (["-"], ["/dev/stdout"], ["/dev/fd/1"], ["-", "/dev/stdout"]):
        done = subprocess.run([sys.executable, "-c", code, DIGITS, *names], capture_output=True, check=True, cwd=folder)
        assert done.stdout == DIGITS.read_bytes() * len(names)
    with (folder / "f").open("wb") as out:
        out.write(b"before")
        out.flush()
        subprocess.run([sys.executable, "-c", code, DIGITS, "/dev/stdout"], stdout=out, check=True)
    assert (folder / "f").read_bytes() == b"before" + DIGITS.read_bytes()


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "it is a directory"),
        ("no/f", "No such file or directory"),
        ("f/g", "cannot write"),
        ("x" * 300, "File name too long"),
        ("~nosuchuser/f", "No such file or directory"),
    ],
)
def test_where_nothing_can_be_written(folder: Path, name: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    (folder / "f").write_bytes(b"")
    with pytest.raises(PbslimError, match=says) as error, replacing(name):
        pytest.fail("found out too late")
    assert str(error.value).startswith(f"cannot write '{name or '.'}': ")


def test_a_name_as_long_as_names_may_be(folder: Path) -> None:
    write(folder / ("x" * 255))
    assert (folder / ("x" * 255)).read_bytes() == b"new"


@posix
def test_a_part_file_that_cannot_be_removed(folder: Path) -> None:
    inner = folder / "inner"
    inner.mkdir()

    def lose() -> None:
        with replacing(inner / "f"):
            for part in inner.iterdir():
                part.unlink()
            inner.rmdir()

    with pytest.raises(PbslimError, match=r"cannot write '.*f': No such file or directory"):
        lose()


def test_two_threads_write_to_one_place(folder: Path) -> None:
    together = threading.Barrier(2)

    def one(content: bytes) -> None:
        with replacing(folder / "f") as out:
            together.wait()
            out.write(content)
            together.wait()

    threads = [threading.Thread(target=one, args=(content,)) for content in (b"a" * 9, b"b" * 9)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (folder / "f").read_bytes() in (b"a" * 9, b"b" * 9)
    assert [path.name for path in folder.iterdir()] == ["f"]


BLOCKED = """
import sys, time
from pbslim.wire.outputs import replacing
with replacing(sys.argv[1]) as out:
    out.write(b"x" * 5_000_000)
    out.flush()
    print("ready", flush=True)
    time.sleep(60)
"""


@posix
@pytest.mark.parametrize("name", ["SIGTERM", "SIGHUP", "SIGINT"])
def test_a_signal_leaves_nothing(folder: Path, name: str) -> None:
    number = getattr(signal, name)
    child = subprocess.Popen(
        [sys.executable, "-c", BLOCKED, folder / "f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert child.stdout
    child.stdout.readline()
    assert len(list(folder.iterdir())) == 1
    child.send_signal(number)
    child.communicate()
    assert child.returncode == -number
    assert not list(folder.iterdir())


@posix
def test_what_a_killed_run_left_goes_when_it_is_old(tmp_path: Path) -> None:
    child = subprocess.Popen([sys.executable, "-c", BLOCKED, tmp_path / "f"], stdout=subprocess.PIPE)
    assert child.stdout
    child.stdout.readline()
    child.kill()
    child.communicate()
    (part,) = tmp_path.iterdir()
    other = tmp_path / ".other.part"
    other.write_bytes(b"of somebody else")
    os.utime(other, (0, 0))
    write(tmp_path / "f")
    assert part.exists()  # perhaps its run goes on
    os.utime(part, (time.time() - 86400,) * 2)
    write(tmp_path / "f")
    assert sorted(path.name for path in tmp_path.iterdir()) == [".other.part", "f"]


def test_handlers_are_given_back(tmp_path: Path) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    graph, _ = parse("c = Const([1, 2])\n-> c")
    assert pbslim.save(graph, tmp_path / "f") > 0
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_an_input_is_never_the_output(folder: Path) -> None:
    (folder / "f").write_bytes(b"x")
    (folder / "hard").hardlink_to(folder / "f")
    (folder / "soft").symlink_to("f")
    for name in ("f", "hard", "soft"):
        with pytest.raises(UsageError, match="is the input, which stays as it is"):
            require_apart(folder / name, folder / "g", folder / "f")
    require_apart(folder / "g", folder / "f")
