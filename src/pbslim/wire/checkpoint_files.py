"""Where a checkpoint is: what people and programs give for one, and the files that it has."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from pbslim.errors import DecodeError
from pbslim.wire.models import prefix_of
from pbslim.wire.paths import expanded
from pbslim.wire.slice_files import is_slice_header
from pbslim.wire.sources import open_source
from pbslim.wire.tables import MAGIC, Table
from pbslim.wire.text import message_bytes
from pbslim.wire.varint import first_text

STATE = "checkpoint"
"""The file in a folder that says which checkpoint is the latest."""
_SHARD = re.compile(r"(?P<prefix>.+)-\d{5}-of-(?P<count>\d{5})", re.DOTALL)
_MOST_STATE = 1 << 24


@dataclass(frozen=True)
class CheckpointFiles:
    """The files of a checkpoint.

    Attributes:
        prefix: what their names begin with.
        slice_files: those of a checkpoint of the first version; none for one of the second.
        remark: what is unusual about the way to it, empty for nothing.
    """

    prefix: Path
    slice_files: tuple[Path, ...] = ()
    remark: str = ""


def find_checkpoint(given: Path) -> CheckpointFiles:
    """The files of the checkpoint that `given` names.

    Args:
        given: what the names of its files begin with, one of them, or a folder with the state file ``checkpoint`` (the
            latest is taken) or with variables of a SavedModel.

    Raises:
        DecodeError: there is none; the message says what is there instead.
    """
    given = expanded(given)
    if given.is_dir():
        for prefix in (given / "variables", given / "variables" / "variables"):
            if Path(f"{prefix}.index").is_file():
                return CheckpointFiles(prefix)
        path, remark = latest_checkpoint(given)
        found = _files(path)
        return CheckpointFiles(found.prefix, found.slice_files, remark)
    if given.name == STATE and given.is_file() and not _is_table(given):
        return find_checkpoint(given.parent)
    return _files(given)


def latest_checkpoint(folder: Path) -> tuple[Path, str]:
    """The checkpoint that the state file in `folder` calls the latest, and a remark if it is not where that says.

    Raises:
        DecodeError: there is no state file, it cannot be read, or names none.
    """
    state = folder / STATE
    if not state.is_file():
        raise DecodeError(
            f"'{folder}' has no file '{STATE}' that names the latest; give the prefix of a checkpoint's files"
        )
    source = open_source(state)
    if len(source) > _MOST_STATE:
        raise DecodeError(f"'{state}' is not a state file of checkpoints: it has {len(source)} bytes")
    try:
        message = message_bytes(bytes(source[:]), "CheckpointState")
    except DecodeError as error:
        raise DecodeError(f"'{state}' is not a state file of checkpoints: {error}") from None
    name = first_text(message, 0, len(message), 1)
    if not name:
        raise DecodeError(f"'{state}' names no latest checkpoint (model_checkpoint_path)")
    path = folder / name  # an absolute name stays as it is
    moved = folder / re.split(r"[/\\]", name)[-1]
    if _exists(path) or not _exists(moved):
        return path, ""
    return moved, f"'{state}' names '{name}', which is gone; '{moved}' is taken instead"


def _files(path: Path) -> CheckpointFiles:
    for prefix in dict.fromkeys([path, prefix_of(path)]):
        if Path(f"{prefix}.index").is_file():
            return CheckpointFiles(prefix)
        if prefix.is_file() and _has_slices(prefix):
            shard = _SHARD.fullmatch(prefix.name)
            shards = _shards(prefix.with_name(shard["prefix"])) if shard else ()
            return CheckpointFiles(prefix, shards or (prefix,))
        if shards := _shards(prefix):
            return CheckpointFiles(prefix, shards)
    raise DecodeError(_absence(path))


def _shards(prefix: Path) -> tuple[Path, ...]:
    """The files ``PREFIX-SHARD-of-SHARDS``, in order."""
    folder = prefix.parent
    names = (_SHARD.fullmatch(each.name) for each in folder.iterdir()) if folder.is_dir() else ()
    found = sorted((name["count"], name.string) for name in names if name and name["prefix"] == prefix.name)
    last = [folder / name for count, name in found if count == found[-1][0]]
    if last and len(last) != int(found[-1][0]):
        raise DecodeError(f"the checkpoint '{prefix}' has {len(last)} of {int(found[-1][0])} files")
    return tuple(last)


def _exists(path: Path) -> bool:
    return Path(f"{path}.index").is_file() or path.is_file() or bool(_shards(path))


def _is_table(path: Path) -> bool:
    source = open_source(path)
    return source[max(len(source) - len(MAGIC), 0) : len(source)] == MAGIC


def _has_slices(path: Path) -> bool:
    header = Table(open_source(path), path).get(b"") if _is_table(path) else None
    return header is not None and is_slice_header(header.content)


def _absence(path: Path) -> str:
    prefix = prefix_of(path)
    if path != prefix and path.is_file():
        return f"'{path}' is a part of a checkpoint whose index '{prefix}.index' is missing; put it beside"
    if path.is_file() and _is_table(path):
        return f"'{path}' is the index of a checkpoint under another name; name it PREFIX.index"
    if path.is_file():
        return f"'{path}' is not a checkpoint: it does not end as their files do"
    return f"there is no checkpoint '{path}': " + (
        f"neither it nor '{path.name}.index' is a file" if path == prefix else "no such file"
    )
