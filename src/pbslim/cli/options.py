"""What the options of commands share: kinds of values."""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click
from click.shell_completion import CompletionItem

from pbslim.cli import completion

_IN_BRACKETS = re.compile(r"\[[^\]]*\]")
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([A-Za-z]*)\s*")
_UNITS = {"b": 1, "kb": 1000, "mb": 1000**2, "gb": 1000**3, "kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30}
_F = TypeVar("_F", bound=Callable[..., Any])


class FileName(click.Path):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """The name of a file."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Refuse an empty name, as a variable that is not set leaves it: it would mean the current folder.

        Only ``-`` itself is a stream: ``./-`` is a file, which its path alone would not show.
        """
        found = super().convert(value or self.fail("a file name cannot be empty", param, ctx), param, ctx)
        return Path.cwd() / "-" if str(found) == "-" != str(value) else found


class OutputName(FileName):
    """The name of a file to write; where that is standard output, nothing else may go there."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Keep standard output free if it is what `value` names."""
        found = super().convert(value, param, ctx)
        if ctx is not None and ctx.resilient_parsing:
            return found
        from pbslim.report.terminal import keep_stdout_free  # the command that is called has loaded these
        from pbslim.wire.outputs import is_standard_output

        if is_standard_output(found):
            keep_stdout_free()
        return found


class NameList(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """Names separated by commas; blanks around them do not count."""

    name = "names"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split `value`; an empty name is a usage error, as the tool that it would reach cannot know what is meant."""
        if isinstance(value, tuple):
            return value
        if not value.strip():
            return ()
        names = tuple(name.strip() for name in value.split(","))
        if "" in names:
            self.fail(f"there is an empty name in '{value}'", param, ctx)
        return names


class NodeList(NameList):
    """Names of nodes or tensors."""

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The nodes of the file in hand, for the name after the last comma."""
        del param
        return completion.node_names(ctx, incomplete)


class InputList(NodeList):
    """Inputs separated by commas, each ``NAME[:PORT][:DTYPE][SHAPE]``; commas in a shape are its own."""

    name = "inputs"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, ...]:
        """Split `value` outside of brackets."""
        if isinstance(value, tuple):
            return value
        names = super().convert(_IN_BRACKETS.sub(lambda shape: shape[0].replace(",", "\0"), value), param, ctx)
        return tuple(name.replace("\0", ",") for name in names)


class TransformsText(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """Transforms in their language, or ``@`` and the name of a file that holds them."""

    name = "text"

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """Transforms, or parameters of the one whose parentheses are open."""
        del ctx, param
        return completion.transforms(incomplete)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Read the file that `value` names, if it names one."""
        if not value.startswith("@"):
            return str(value)
        name = value[1:]
        try:
            return Path(name).expanduser().read_text("utf-8-sig")
        except (OSError, RuntimeError) as error:  # the latter for the home of nobody
            reason = (isinstance(error, OSError) and error.strerror) or str(error)
            self.fail(f"cannot read '{name}': {reason}", param, ctx)
        except ValueError:
            self.fail(f"'{name}' is not UTF-8 text", param, ctx)


class NumberList(NameList):
    """Whole numbers separated by commas."""

    name = "numbers"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Split `value` and read each part."""
        try:
            return tuple(int(text) for text in super().convert(value, param, ctx))
        except ValueError:
            self.fail(f"'{value}' is not a whole number, nor several with commas between them", param, ctx)


class SettingList(NameList):
    """Names with a scalar each, ``phase_train=False,keep_prob=1.0``."""

    name = "settings"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Split `value` into a mapping."""
        if isinstance(value, dict):
            return value
        pairs = [text.partition("=") for text in super().convert(value, param, ctx)]
        for name, _, text in pairs:
            if not name.strip() or not text.strip():
                self.fail(f"'{name}' needs a value, as in keep_prob=1.0,is_training=False", param, ctx)
        return {name.strip(): text.strip() for name, _, text in pairs}


class Percent(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """A share, as ``1%`` or ``0.01``."""

    name = "share"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Read `value`."""
        text = str(value).strip()
        try:
            share = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        except ValueError:
            share = -1.0
        if not 0 <= share <= 1:
            self.fail(f"'{value}' is not a share from 0% to 100%, such as 1% or 0.01", param, ctx)
        return share


class Size(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """A number of bytes, as ``300000``, ``300kB``, ``2.5MB`` or ``300KiB``; capitals do not matter."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Read `value`."""
        found = _SIZE.fullmatch(str(value))
        factor = _UNITS.get((found[2] or "B").lower()) if found else None
        size = round(float(found[1]) * factor) if found and factor else 0
        if size < 1:
            self.fail(f"'{value}' is not a size such as 60000, 60kB, 2.5MB or 300KiB", param, ctx)
        return size

    def shell_complete(self, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        """The units, for the number that is there."""
        del ctx, param
        found = _SIZE.fullmatch(incomplete)
        units = [unit for unit in ("kB", "KiB", "MB", "MiB") if found and unit.lower().startswith(found[2].lower())]
        return [CompletionItem(f"{found[1]}{unit}") for unit in units] if found else []


class Number(click.FloatRange):
    """A number that others can be compared with, from 0 on."""

    def __init__(self, unit: str = "", *, zero: bool = True) -> None:
        super().__init__(min=0, min_open=not zero)
        self._least = f"{'0' if zero else 'more than 0'}{unit and ' '}{unit}{' or more' if zero else ''}"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Read `value`."""
        number = click.FLOAT.convert(value, param, ctx)
        if math.isnan(number):
            self.fail(f"'{value}' is not a number", param, ctx)
        if number < 0 or (self.min_open and number == 0):
            self.fail(f"{value} is out of range; give {self._least}", param, ctx)
        return number


class Pixels(click.ParamType):  # type: ignore[type-arg, unused-ignore]  # generic in some releases
    """Two numbers, the smaller one first."""

    name = "range"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[float, float]:
        """Read `value`."""
        if isinstance(value, tuple):
            return value
        try:
            low, high = map(float, value.split(","))
        except ValueError:
            low, high = 0.0, 0.0
        if not low < high:
            self.fail(f"'{value}' is not a range such as -1,1 or 0,255", param, ctx)
        return low, high


FILE = FileName(path_type=Path)
OUTPUT = OutputName(path_type=Path)
INPUTS = InputList()
PERCENT = Percent()
SIZE = Size()
DECIBELS = Number("dB")
SECONDS = Number("seconds", zero=False)
TOLERANCE = Number()
PIXELS = Pixels()
NAMES = NodeList()
WORDS = NameList()
TRANSFORMS = TransformsText()
NUMBERS = NumberList()
SETTINGS = SettingList()


def bool_option(
    *names: str,
    default: bool,
    help: str,  # noqa: A002 - click's name
    expose_value: bool = True,
) -> Callable[[_F], _F]:
    """An option that is true alone and takes true or false after ``=``, as in TensorFlow's tools."""
    text = str(default).lower()
    return click.option(
        *names, type=bool, is_flag=False, flag_value="true", default=text, help=help, expose_value=expose_value
    )


json_option = click.option("--json", "as_json", is_flag=True, help="Report in JSON on stdout.")
