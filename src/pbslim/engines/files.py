"""Feeds and results in files: .npz and .npy, of plain arrays."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from tokenize import TokenError

import numpy as np

from pbslim.engines.protocol import Array
from pbslim.errors import UsageError, one_line
from pbslim.wire.outputs import replacing

_ONE_ARRAY = ".npy"

# what zip files, what is in them, and headers raise; a RuntimeError means that a password is wanted
_BROKEN: tuple[type[Exception], ...] = (zipfile.BadZipFile, zlib.error, EOFError, ValueError, TypeError, LookupError)
_BROKEN += (AttributeError, NotImplementedError, RuntimeError, SyntaxError, TokenError, MemoryError)


def read_arrays(path: Path) -> dict[str, Array]:
    """The arrays of an .npz file by name, or the one of an .npy file under the name ''; nothing in it is executed.

    Raises:
        UsageError: it is neither.
    """
    try:
        with path.open("rb") as file:
            found = np.load(file, allow_pickle=False)
            if isinstance(found, np.ndarray):
                return {"": found}
            with found:
                return {name: found[name] for name in found.files}
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror or error}") from None
    except _BROKEN as error:
        # numpy takes whatever else it is for a pickle, and advises to execute it
        reason = "" if "pickle" in str(error) else f": {one_line(str(error))}"
        raise UsageError(f"'{path}' is not an .npz or .npy file of plain arrays{reason}") from None


def write_arrays(path: Path, arrays: Mapping[str, Array]) -> None:
    """Write an .npz file, or an .npy file of one array; it appears whole or not at all.

    Types that such a file does not have (bfloat16 and smaller floats) are written as float32, strings as numpy's
    strings of fixed length.

    Raises:
        UsageError: an .npy file of several arrays is asked for, or an array cannot be written.
        PbslimError: the file cannot be written.
    """
    plain = {name: _plain(name, array) for name, array in arrays.items()}
    alone = path.suffix == _ONE_ARRAY
    if alone and len(plain) != 1:
        raise UsageError(f"'{path}' holds one array, there are {len(plain)}; name one output or write an .npz file")
    with replacing(path) as out:
        if alone:
            [array] = plain.values()
            np.save(out, array, allow_pickle=False)
        else:
            np.savez(out, allow_pickle=False, **plain)  # type: ignore[arg-type, unused-ignore]  # names are any text


def _plain(name: str, array: Array) -> Array:
    if array.dtype.kind == "O":
        texts = array.astype(np.bytes_)
        if texts.tolist() != array.tolist():
            raise UsageError(f"'{name}' holds strings that end in zero bytes, which numpy's strings cannot")
        return texts
    return array.astype(np.float32) if array.dtype.kind == "V" or array.dtype.isbuiltin != 1 else array
