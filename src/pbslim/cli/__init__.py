"""The command line: a thin face over the package. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import codecs
import io
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any


def main(argv: Sequence[str] | None = None) -> None:
    """The ``pbslim`` program."""
    _run(None, argv)


def _program(name: str) -> Callable[..., None]:
    """A command of ``pbslim`` as a program of its own, under the name of TensorFlow's tool."""

    def program(argv: Sequence[str] | None = None) -> None:
        _run(name, argv)

    return program


freeze_graph = _program("freeze_graph")
optimize_for_inference = _program("optimize_for_inference")
quantize_graph = _program("quantize_graph")
strip_unused = _program("strip_unused")
transform_graph = _program("transform_graph")
summarize_graph = _program("summarize_graph")
compare_graphs = _program("compare_graphs")
graph_to_dot = _program("graph_to_dot")
print_selective_registration_header = _program("print_selective_registration_header")
convert_graphdef_memmapped_format = _program("convert_graphdef_memmapped_format")


def _run(name: str | None, argv: Sequence[str] | None) -> None:
    """Run ``pbslim`` or one of its commands, and end the process.

    What goes wrong becomes one line on stderr and an exit code: 1 a check failed, 2 wrong usage or input.
    """
    stdout, unraisable = sys.stdout, sys.unraisablehook
    sys.unraisablehook = partial(_unraisable, unraisable)
    try:
        message = ""
        try:
            _open_streams()
            status = _command(name, argv)
            sys.stdout.flush()
        except BaseException as error:  # noqa: BLE001 - all but programming errors are reported in one line
            message, status = _told(error)
        if message:
            _say(f"error: {message}")
    finally:
        sys.stdout, sys.unraisablehook = stdout, unraisable
    sys.exit(status)


def _unraisable(others: Callable[[Any], object], ignored: Any) -> None:
    """Raise a Ctrl-C once more that arrived where Python can only forget it, such as in a ``__del__``."""
    if not isinstance(ignored.exc_value, KeyboardInterrupt):
        others(ignored)
        return
    import _thread
    import signal
    import threading

    # At once, it would be raised here and forgotten as well. A signal also ends a wait.
    kill = getattr(signal, "pthread_kill", lambda _, number: _thread.interrupt_main(number))
    threading.Timer(0.01, kill, (threading.main_thread().ident, signal.SIGINT)).start()


def _open_streams() -> None:
    """Make sure that there are three standard streams, and that every character can be written to them."""
    for number, mode in ((0, os.O_WRONLY), (1, os.O_RDONLY), (2, os.O_RDWR)):
        try:
            os.fstat(number)
        except OSError:  # a file that is opened later must not get what is meant for the stream
            os.open(os.devnull, mode)
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115, PTH123 - for as long as the process lives
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="pbslim")


_PLAIN = str.maketrans({"≈": "~", "→": "->", "…": "...", "·": "*", "─": "-", "►": ">", "–": "-", "“": '"', "”": '"'})


def _plain(error: UnicodeError) -> tuple[str, int]:
    """What stands for characters that a stream cannot show: something like them, or their escapes."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = error.object[error.start : error.end].translate(_PLAIN)
    return text.encode("ascii", "backslashreplace").decode(), error.end


codecs.register_error("pbslim", _plain)


def _command(name: str | None, argv: Sequence[str] | None) -> int:
    """Run a command and give its exit code."""
    import atexit
    import gc

    gc.disable()  # a short run that builds one large structure and drops nothing
    atexit.register(gc.freeze)  # nor is it worth taking apart at the end
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that nothing here uses
    from pbslim.cli.arguments import plain
    from pbslim.cli.command import CommandLine
    from pbslim.cli.commands import pbslim
    from pbslim.cli.settings import find_settings

    args, notes = plain(sys.argv[1:] if argv is None else argv)
    program, settings = name or "pbslim", find_settings()
    settings.require_known(pbslim.list_commands(None))
    command = pbslim.commands[name] if name else pbslim
    line = CommandLine(program, tuple(args), notes, settings)
    status = command.main(args, prog_name=program, standalone_mode=False, obj=line)
    return status if isinstance(status, int) else 0


def _told(error: BaseException) -> tuple[str, int]:
    """What to say about an error, and the exit code; an error that is a mistake in this program is raised again."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", 130
    if isinstance(error, BrokenPipeError):  # the reader has read enough
        _drop_output()
        return "", 0
    if isinstance(error, OSError):
        _drop_output()
        place = f"cannot use '{error.filename}'" if error.filename else "cannot write to standard output"
        return f"{place}: {error.strerror or error}", 2
    if isinstance(error, MemoryError):
        return "not enough memory for this file", 2
    if isinstance(error, RecursionError):
        return "the file is nested too deeply", 2
    import click

    from pbslim.errors import CheckError, PbslimError, TransformSyntaxError, one_line, printable

    if isinstance(error, TransformSyntaxError):
        # A caret helps a person; a pipe gets the one line that a log can hold.
        return (printable(str(error), keep="\n") if sys.stderr.isatty() else error.one_line), 2
    if isinstance(error, PbslimError):
        return one_line(str(error)), 1 if isinstance(error, CheckError) else 2
    if isinstance(error, click.exceptions.Abort):
        return "interrupted", 130
    if isinstance(error, click.ClickException):
        return one_line(error.format_message()), 2
    raise error


def _drop_output() -> None:
    """Forget what could not be written, so that the interpreter does not try again at its end."""
    with suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _say(line: str) -> None:
    with suppress(OSError, ValueError):  # there may be no reader
        print(line, file=sys.stderr, flush=True)  # noqa: T201
