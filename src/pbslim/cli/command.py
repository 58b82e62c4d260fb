"""What all commands have in common: examples and exit codes in their help, ``--quiet``, progress, their defaults."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import click
from click.core import ParameterSource

from pbslim.cli.settings import Settings

EXIT_CODES = "Exit codes: 0 done, 1 a check failed, 2 wrong usage or input."
HELP = {"help_option_names": ["-h", "--help"]}


@dataclass(frozen=True)
class CommandLine:
    """What the user typed, as the ``obj`` of the context.

    Attributes:
        words: the arguments after the name of the program.
        notes: remarks on how they were read.
        settings: defaults of options.
    """

    program: str
    words: Sequence[str] = ()
    notes: Sequence[str] = ()
    settings: Settings = field(default_factory=Settings)


def typed(ctx: click.Context) -> str:
    """What the user typed, as a shell takes it."""
    line: CommandLine = ctx.obj
    return shlex.join([line.program, *line.words])


class Command(click.Command):
    """A command of ``pbslim``.

    Args:
        examples: command lines for its help.
        sections: titles of groups of options in its help, with their parameters; other options come last.
    """

    def __init__(
        self,
        *args: Any,
        examples: Sequence[str] = (),
        sections: Mapping[str, Sequence[str]] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(*args, **{"context_settings": HELP, **options})
        self.examples, self.sections = examples, sections or {}
        self.params.append(
            click.Option(["-q", "--quiet"], is_flag=True, help="Print results and errors only: no progress, no notes.")
        )

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments; what they do not say may stand in a file of settings."""
        if ctx.resilient_parsing and args and args[-1].startswith("-"):
            args = args[:-1]  # an option whose value is being typed, which would hide all others
        settings = ctx.obj.settings if ctx.obj else Settings()
        ctx.default_map = settings.of(self)
        try:
            return super().parse_args(ctx, args)
        except click.BadParameter as error:
            name = error.param.name if error.param else None
            if name and ctx.get_parameter_source(name) is ParameterSource.DEFAULT_MAP:
                raise settings.error(f"[{self.name}] {error.format_message()}") from None
            raise

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each option does, section by section."""
        records = {param.name: record for param in self.get_params(ctx) if (record := param.get_help_record(ctx))}
        for title, names in self.sections.items():
            with formatter.section(title):
                formatter.write_dl([records.pop(name) for name in names])
        with formatter.section("Other options" if self.sections else "Options"):
            formatter.write_dl([*records.values()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write the examples and what the exit codes mean."""
        del ctx
        if self.examples:
            with formatter.section("Examples"):
                for line in self.examples:
                    formatter.write(f"  {line}\n")
        formatter.write_paragraph()
        formatter.write_text(EXIT_CODES)

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, with progress shown until it prints something."""
        from pbslim.report import progress, terminal  # what an option's value needs should not wait for these

        with progress.working(quiet=ctx.params.pop("quiet")):
            status = super().invoke(ctx)
            for note in ctx.obj.notes if ctx.obj else ():
                terminal.note(note)
        return status


class LegacyCommand(Command):
    """A command whose flags can be written as argparse and absl took them: ``--out`` for ``--output``, ``--noflag``.

    Neither is tried where it could mean several flags.
    """

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Read the arguments."""
        flags = {name: param for param in self.params for name in param.opts}
        return super().parse_args(ctx, [_spelled_out(argument, flags) for argument in args])


def _spelled_out(argument: str, flags: Mapping[str, click.Parameter]) -> str:
    name, equals, value = argument.partition("=")
    if not name.startswith("--") or name in flags:
        return argument
    meant = [flag for flag in flags if flag.startswith(name)]
    if len(meant) == 1:
        return f"{meant[0]}{equals}{value}"
    denied = flags.get(f"--{name.removeprefix('--no')}")
    if denied and not equals and isinstance(denied.type, click.types.BoolParamType):
        return f"{denied.opts[0]}=false"
    return argument
