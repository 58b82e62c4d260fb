"""Let damaged files be read in a process of their own, and judge how that went."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from tests.shared import ROOT

MEGABYTES = 100  # beyond the size of the largest file


def read_damaged(kind: str, sound: Path, count: int) -> dict[str, int]:
    """How often each thing came of `count` damaged files, made from those in the folder `sound`.

    Fails where one crashed, hung or took much memory.
    """
    runner = Path(__file__).with_name("read_damaged.py")
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    command = [sys.executable, str(runner), kind, str(sound), "0", str(count)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert not done.returncode, done.stderr
    figures = json.loads(done.stdout)
    assert not figures["failures"], "\n".join([str(len(figures["failures"])), *figures["failures"][:5]])
    assert figures["grown"] < figures["largest"] + MEGABYTES
    found: dict[str, int] = figures["found"]
    assert sum(found.values()) == count
    return found
