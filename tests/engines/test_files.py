"""Arrays in files: what is read and written, and what is refused in one line."""

from __future__ import annotations

import io
import random
from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from pbslim.engines.files import read_arrays, write_arrays
from pbslim.errors import UsageError


def test_what_is_written_is_read(tmp_path: Path) -> None:
    texts = np.empty((2, 1), object)
    texts[:, 0] = [b"a", "ö".encode()]
    arrays = {"scope/x:1": np.arange(6.0).reshape(2, 3), "texts": texts, "flag": np.array(True)}
    write_arrays(tmp_path / "a.npz", {**arrays, "short": np.array([1.5, -2], ml_dtypes.bfloat16)})
    found = read_arrays(tmp_path / "a.npz")
    assert list(found) == ["scope/x:1", "texts", "flag", "short"]
    np.testing.assert_array_equal(found["scope/x:1"], arrays["scope/x:1"])
    assert found["texts"].tolist() == texts.tolist()
    assert found["short"].tolist() == [1.5, -2]
    assert found["short"].dtype == np.float32


def test_one_array_goes_into_an_npy_file(tmp_path: Path) -> None:
    write_arrays(tmp_path / "a.npy", {"x": np.arange(3)})
    assert read_arrays(tmp_path / "a.npy")[""].tolist() == [0, 1, 2]
    with pytest.raises(UsageError, match="holds one array, there are 2"):
        write_arrays(tmp_path / "b.npy", {"x": np.arange(3), "y": np.arange(3)})
    with pytest.raises(UsageError, match="'x' holds strings that end in zero bytes"):
        write_arrays(tmp_path / "b.npz", {"x": np.array([b"a\0"], object)})
    assert [path.name for path in tmp_path.iterdir()] == ["a.npy"]


def test_damaged_files_are_refused_in_one_line(tmp_path: Path) -> None:
    files = []
    for save in (np.save, np.savez, np.savez_compressed):
        buffer = io.BytesIO()
        save(buffer, np.arange(6.0))
        files.append(buffer.getvalue())
    chance = random.Random(0)  # noqa: S311 - not for secrets
    path = tmp_path / "damaged"
    messages = []
    for _ in range(600):
        data = bytearray(chance.choice(files))
        for _ in range(chance.randint(1, 4)):
            place = chance.randrange(len(data))
            if chance.random() < 0.5:
                data[place] = chance.randrange(256)
            else:
                del data[place : place + chance.choice([1, 40, 4000])]
                data = data or bytearray(b"x")
        path.write_bytes(data)
        try:
            read_arrays(path)
        except UsageError as error:
            messages.append(str(error))
    assert len(messages) > 400
    assert not any("\n" in message for message in messages)


def test_missing_files_and_pickles(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"cannot read '.*nothing': No such file"):
        read_arrays(tmp_path / "nothing")
    np.savez(tmp_path / "objects.npz", x=np.array([{}], object))
    (tmp_path / "text.npz").write_text("no arrays at all")
    for name in ("objects.npz", "text.npz"):
        with pytest.raises(UsageError, match=r"is not an \.npz or \.npy file of plain arrays$"):
            read_arrays(tmp_path / name)
