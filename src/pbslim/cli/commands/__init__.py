"""The commands of ``pbslim``: each module holds the options and the run of one, and is imported when it is called."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

import click

from pbslim._version import __version__
from pbslim.cli.command import EXIT_CODES, HELP
from pbslim.names import nearest

_WITH_HYPHENS = frozenset({"to_saved_model"})
"""Commands that no tool of TensorFlow's gave their names, which have underscores."""

_ONE_SENTENCE = 200  # letters; more lines are better than half a sentence


class _Modules(dict[str, click.Command]):
    """The commands that were asked for so far."""

    def __missing__(self, name: str) -> click.Command:
        found: click.Command = import_module(f"{__name__}.{name.replace('-', '_')}").command
        self[name] = found
        return found


def _spelled(name: str) -> str:
    return name.replace("_", "-") if name in _WITH_HYPHENS else name


class _Commands(click.Group):
    def list_commands(self, ctx: click.Context | None) -> list[str]:  # noqa: ARG002 - click's interface
        return sorted(_spelled(module.name) for module in iter_modules(__path__))

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        name = _spelled(cmd_name)
        return self.commands[name] if name in self.list_commands(ctx) else None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        known = {name: self.commands[name] for name in self.list_commands(ctx)}
        for title, is_old in (("Commands", False), ("Tools of TensorFlow, with their command lines", True)):
            with formatter.section(title):
                formatter.write_dl(
                    [
                        (name, each.get_short_help_str(_ONE_SENTENCE))
                        for name, each in known.items()
                        if ("_" in name) is is_old
                    ]
                )

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        known = self.list_commands(ctx)
        if _spelled(args[0]) not in known and not ctx.resilient_parsing and (close := nearest(args[0], known)):
            ctx.fail(f"No such command '{args[0]}', did you mean '{close}'?")
        return super().resolve_command(ctx, args)


@click.group(
    cls=_Commands,
    commands=_Modules(),
    invoke_without_command=True,
    context_settings=HELP,
    epilog=f"'pbslim COMMAND --help' says more, with examples. {EXIT_CODES}",
)
@click.version_option(__version__, message="pbslim %(version)s")
@click.pass_context
def pbslim(ctx: click.Context) -> None:
    """Make frozen TensorFlow graphs (.pb) small, without TensorFlow."""
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
