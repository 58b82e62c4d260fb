"""Each command is a module of its own, imported when it is called."""

from __future__ import annotations

import subprocess
import sys

import click
import pytest

from pbslim.cli.commands import pbslim

NAMES = pbslim.list_commands(click.Context(pbslim))


@pytest.mark.parametrize("name", NAMES)
def test_a_module_holds_the_command_of_its_name(name: str) -> None:
    command = pbslim.commands[name]
    assert command.name == name
    assert command.help
    assert all(each.help for each in command.params if isinstance(each, click.Option))


def test_only_the_called_command_is_imported() -> None:
    code = (
        "import sys; from pbslim.cli import main\n"
        "try: main(['inspect', '--help'])\n"
        "finally: print([name for name in sys.modules if name.startswith('pbslim.cli.commands.')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "['pbslim.cli.commands.inspect']"
