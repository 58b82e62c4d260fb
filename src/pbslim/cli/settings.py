"""Defaults of options, from ``pbslim.toml`` or ``[tool.pbslim]`` in ``pyproject.toml``."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click

_EVERYWHERE = ("json", "quiet")


@dataclass(frozen=True)
class Settings:
    """The tables of a file: name of a command → its options; at the top level, options of all commands."""

    file: Path = Path()
    tables: Mapping[str, Any] = field(default_factory=dict)

    def of(self, command: click.Command) -> dict[str, Any]:
        """What the file says of the options of a command, as they would be typed, by the names of their parameters.

        Raises:
            UsageError: there is no such option, or it takes no such value.
        """
        name = command.name or ""
        own = self.tables.get(name, {})
        common = {key: value for key, value in self.tables.items() if not isinstance(value, dict)}
        options = {
            text.lstrip("-").replace("-", "_"): option
            for option in command.params
            if isinstance(option, click.Option)
            for text in option.opts
        }
        found = {}
        for key, value in {**common, **own}.items():
            option = options.get(key.replace("-", "_"))
            if option is None or option.name is None:
                known = [_key(each) for each in command.params if isinstance(each, click.Option)]
                raise self.error(f"[{name}] has no option '{key}'", key, known)
            found[option.name] = self._typed(option, f"[{name}] {key}", value)
        return found

    def require_known(self, commands: Collection[str]) -> None:
        """Make sure that each table is that of a command.

        Raises:
            UsageError: one is not.
        """
        for key, value in self.tables.items():
            if isinstance(value, dict) and key not in commands:
                raise self.error(f"there is no command '{key}'", key, commands)
            if not isinstance(value, dict) and key not in _EVERYWHERE:
                raise self.error(f"'{key}' belongs into the table of a command, such as [shrink]", key, _EVERYWHERE)

    def error(self, text: str, key: str = "", known: Collection[str] = ()) -> Exception:
        """An error in this file, with the nearest of the names that are known."""
        from pbslim.errors import UsageError
        from pbslim.names import nearest

        close = nearest(key, known) if key else ""
        return UsageError(f"{self.file}: {text}" + (f", did you mean '{close}'?" if close else ""))

    def _typed(self, option: click.Option, where: str, value: Any) -> Any:
        """A value as the command line has it."""
        if option.is_flag:
            if not isinstance(value, bool):
                raise self.error(f"{where} is true or false, not {value!r}")
            return value
        if isinstance(value, dict):
            value = [f"{key}={_text(each)}" for key, each in value.items()]
        if not isinstance(value, list):
            value = _text(value)
            return [value] if option.multiple else value
        texts = list(map(_text, value))
        return texts if option.multiple else ",".join(texts)


def find_settings() -> Settings:
    """The settings in the current folder, or in the nearest one above it that has any.

    Raises:
        UsageError: the file cannot be read.
    """
    try:
        folder = Path.cwd()
    except OSError:  # it was removed
        return Settings()
    for place in (folder, *folder.parents):
        own, shared = place / "pbslim.toml", place / "pyproject.toml"
        if own.is_file():
            return Settings(own, _tables(own))
        if shared.is_file() and b"tool.pbslim" in shared.read_bytes():
            tables = _tables(shared).get("tool", {}).get("pbslim")
            if tables is not None:
                return Settings(shared, tables)
    return Settings()


def _tables(file: Path) -> Any:
    import sys

    if sys.version_info >= (3, 11):
        import tomllib
    else:
        import tomli as tomllib
    try:
        return tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise Settings(file).error(f"cannot be read: {error}") from None


def _key(param: click.Parameter) -> str:
    return max(param.opts, key=len).lstrip("-")


def _text(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)
