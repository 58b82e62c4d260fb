"""Run a graph in a process of its own: what it does to memory can be measured there, and a crash does no harm."""

from __future__ import annotations

import os
import pickle
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from pbslim.engines import tensorflow
from pbslim.engines.protocol import Feeds
from pbslim.errors import PbslimError

_STATUS = Path("/proc/self/status")


@dataclass(frozen=True)
class Memory:
    """What a graph takes in memory, in bytes above what the process had before.

    Attributes:
        resident: all pages, those of mapped files included.
        private: pages that belong to the process alone and cannot be dropped.
    """

    resident: int
    private: int


@dataclass(frozen=True)
class Outcome:
    """The outputs of a run, and what memory it took, None where the system does not tell."""

    outputs: list[npt.NDArray[Any]]
    memory: Memory | None


def run_apart(path: Path, feeds: Feeds, outputs: Sequence[str], label: str, hint: str = "") -> Outcome:
    """The values of `outputs` for `feeds`, with nothing folded, so that mapped constants stay mapped.

    Args:
        label: the file that messages name.
        hint: what to add where TensorFlow dies of the graph.

    Raises:
        UsageError: TensorFlow is not installed.
        PbslimError: TensorFlow cannot load or run the graph, or dies of it.
    """
    job = pickle.dumps((str(path), dict(feeds), list(outputs)))
    command = [sys.executable, "-c", f"from {__name__} import answer_one; answer_one()"]
    safe = {**os.environ, "PYTHONSAFEPATH": "1"}  # no modules from the folder where the user happens to be
    done = subprocess.run(  # noqa: S603 - this interpreter
        command, input=job, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=safe, check=False
    )
    if done.returncode:
        how = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
        raise PbslimError(f"TensorFlow died of '{label}' ({how}){hint}")
    outcome = pickle.loads(done.stdout)  # noqa: S301 - what the process below has written
    if isinstance(outcome, PbslimError):
        raise type(outcome)(str(outcome).replace(str(path), label))
    if not isinstance(outcome, Outcome):
        raise PbslimError(f"TensorFlow gave no outputs for '{label}'")
    return outcome


def _measured() -> Memory | None:
    try:
        lines = dict(line.split(":", 1) for line in _STATUS.read_text().splitlines())
        resident, private = (int(lines[key].split()[0]) * 1024 for key in ("VmRSS", "RssAnon"))
    except (OSError, KeyError, ValueError):
        return None
    return Memory(resident, private)


def _run(path: Path, feeds: Feeds, outputs: Sequence[str]) -> Outcome:
    tensorflow.warm_up()
    before = _measured()
    with tensorflow.session(path, folding=False) as runner:
        found = runner(feeds, outputs)
        after = _measured()
    if before is None or after is None:
        return Outcome(found, None)
    more = Memory(max(after.resident - before.resident, 0), max(after.private - before.private, 0))
    return Outcome(found, more)


def answer_one() -> None:
    """Be the process that `run_apart` starts: a run is asked for on stdin, its outcome goes to stdout."""
    # What TensorFlow prints must not come between the bytes of the answer.
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    path, feeds, outputs = pickle.load(sys.stdin.buffer)  # noqa: S301 - from the process that started this one
    outcome: Outcome | PbslimError
    try:
        outcome = _run(Path(path), feeds, outputs)
    except PbslimError as error:
        outcome = error
    with answer:
        pickle.dump(outcome, answer)
