"""The command line: a thin face over the package. Nothing heavy is imported before a command runs."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence


def main(argv: Sequence[str] | None = None) -> None:
    """The ``pbslim`` program."""
    from pbslim.cli.commands import pbslim

    _run(lambda args: pbslim.main(args, prog_name="pbslim", standalone_mode=False), argv)


def _program(name: str) -> Callable[..., None]:
    """A command of ``pbslim`` as a program of its own, under the name of TensorFlow's tool."""

    def program(argv: Sequence[str] | None = None) -> None:
        from pbslim.cli.commands import pbslim

        _run(lambda args: pbslim.commands[name].main(args, prog_name=name, standalone_mode=False), argv)

    return program


optimize_for_inference = _program("optimize_for_inference")
quantize_graph = _program("quantize_graph")
strip_unused = _program("strip_unused")
transform_graph = _program("transform_graph")
summarize_graph = _program("summarize_graph")
compare_graphs = _program("compare_graphs")
graph_to_dot = _program("graph_to_dot")
print_selective_registration_header = _program("print_selective_registration_header")
convert_graphdef_memmapped_format = _program("convert_graphdef_memmapped_format")


def _run(program: Callable[[list[str]], object], argv: Sequence[str] | None) -> None:
    """Run a program and turn what goes wrong into one line on stderr and an exit code: 1 check failed, 2 bad input."""
    import gc

    import click

    gc.disable()  # a short run that builds one large structure and drops nothing
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # numpy would start threads that nothing here uses
    from pbslim.cli.arguments import plain
    from pbslim.errors import CheckError, PbslimError, TransformSyntaxError, one_line

    args, notes = plain(sys.argv[1:] if argv is None else argv)
    try:
        status = program(args)
    except TransformSyntaxError as error:
        # A caret helps a person; whoever reads a pipe gets the one line that a log can hold.
        _fail(str(error) if sys.stderr.isatty() else error.one_line)
    except CheckError as error:
        _fail(one_line(str(error)), 1)
    except PbslimError as error:
        _fail(one_line(str(error)))
    except click.exceptions.Abort:
        _fail("interrupted", 130)
    except click.ClickException as error:
        _fail(one_line(error.format_message()))
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
    except (MemoryError, RecursionError) as error:
        _fail(f"the file asks for too much ({type(error).__name__})")
    for note in notes:
        click.echo(f"note: {note}", err=True)
    sys.exit(status if isinstance(status, int) else 0)


def _fail(message: str, status: int = 2) -> None:
    import click

    click.echo(f"error: {message}", err=True)
    sys.exit(status)
