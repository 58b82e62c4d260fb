"""The command line within this process: fast, where nothing depends on what a process has loaded or shows."""

from __future__ import annotations

import contextlib
import gc
import io
from collections.abc import Callable
from typing import NamedTuple

from pbslim.cli import main


class Done(NamedTuple):
    """How a command ended."""

    code: object
    out: str
    err: str

    @property
    def refused(self) -> bool:
        """Whether it did what it should with wrong input: said why in one line, and nothing else."""
        line = self.err.rstrip("\n")
        return self.code == 2 and not self.out and self.err.startswith("error: ") and line.isprintable()


def run(*args: object, program: Callable[[list[str]], None] = main) -> Done:
    """Run ``pbslim``, or another program, with these arguments."""
    out, err, code = io.StringIO(), io.StringIO(), None
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            program([str(arg) for arg in args])
    except SystemExit as end:
        code = end.code
    finally:
        gc.enable()  # the command line does without, as each of its processes is short
    return Done(code, out.getvalue(), err.getvalue())
