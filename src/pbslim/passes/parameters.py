"""Typed parameters of a transform, derived from its signature."""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from pbslim.dtypes import DType
from pbslim.errors import TransformSyntaxError, UsageError
from pbslim.names import nearest
from pbslim.passes.language import Argument, Invocation

_BLANKS = " \t\n\v\f\r"
_INT = re.compile(r"(-?)(?=[0-9])0*([0-9]{0,19})")  # more digits do not fit into 64 bits
_FLOAT = re.compile(r"[+-]?(nan|inf|([0-9]+(\.[0-9]*)?|\.[0-9]+)(e[+-]?[0-9]+)?)", re.ASCII | re.IGNORECASE)
_HEX = re.compile(r"[+-]?0x[0-9a-f.]+(p[+-]?[0-9]+)?", re.ASCII | re.IGNORECASE)
_BOOLS = {"true": True, "1": True, "false": False, "0": False}
_KINDS: dict[type, str] = {
    bool: "true, false, 1 or 0",
    int: "a whole number",
    float: "a number",
    str: "text",
}


@dataclass(frozen=True)
class Parameter:
    """One parameter.

    Attributes:
        kind: bool, int, float, str or DType.
        repeated: may be given several times; the values arrive as a tuple.
    """

    name: str
    kind: type
    repeated: bool
    required: bool
    default: object

    def describe(self) -> str:
        """As the manual shows it: ``num_steps: int = 256``."""
        text = f"{self.name}: {self.kind.__name__}" + (" ..." if self.repeated else "")
        if self.required or self.repeated or self.default is None:
            return text
        default = str(self.default).lower() if self.kind is bool else self.default
        return f"{text} = {default}"


ANY = "*"
"""The name under which `parameters_of` lists that a transform takes any parameter (``**parameters``)."""


def parameters_of(function: Callable[..., object]) -> dict[str, Parameter]:
    """The keyword-only parameters of a transform function."""
    hints = typing.get_type_hints(function)
    found = {}
    for name, parameter in inspect.signature(function).parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            found[ANY] = Parameter(ANY, hints[name], repeated=False, required=False, default=None)
        if parameter.kind is not parameter.KEYWORD_ONLY:
            continue
        hint = hints[name]
        if typing.get_origin(hint) in (types.UnionType, typing.Union):
            hint = next(each for each in typing.get_args(hint) if each is not type(None))
        repeated = typing.get_origin(hint) is tuple
        kind = typing.get_args(hint)[0] if repeated else hint
        required = parameter.default is parameter.empty
        default = None if required else parameter.default
        found[name] = Parameter(name, kind, repeated, required, default)
    return found


def bind(step: Invocation, parameters: Mapping[str, Parameter], text: str) -> tuple[dict[str, object], list[str]]:
    """Arguments for the transform of `step`, and remarks (a parameter it does not know is ignored).

    Raises:
        TransformSyntaxError: a value cannot be read, a parameter is repeated or missing.
    """
    found: dict[str, object] = {}
    notes = []
    for argument in step.arguments:
        if argument.name == "ignore_errors":
            continue
        parameter = parameters.get(argument.name)
        if parameter is None and ANY in parameters:
            parameter = replace(parameters[ANY], name=argument.name)
        if parameter is None:
            close = nearest(argument.name, parameters)
            hint = f", did you mean '{close}'?" if close else ""
            notes.append(f"{step.name} has no parameter '{argument.name}', it is ignored{hint}")
            continue
        value = _convert(argument, parameter, text)
        if parameter.repeated:
            earlier = found.get(parameter.name, ())
            found[parameter.name] = (*earlier, value) if isinstance(earlier, tuple) else (value,)
        elif parameter.name in found:
            raise TransformSyntaxError(f"'{parameter.name}' may be given only once", text, argument.name_at)
        else:
            found[parameter.name] = value
    for parameter in parameters.values():
        if parameter.required and parameter.name not in found:
            raise TransformSyntaxError(f"{step.name} needs '{parameter.name}'", text, step.at)
    return found, notes


def given(name: str, arguments: Mapping[str, object], parameters: Mapping[str, Parameter]) -> dict[str, object]:
    """Arguments that a program gives to the transform called `name`, one value or several where a parameter repeats.

    Raises:
        UsageError: there is no such parameter, a value has the wrong type, or one is missing.
    """
    found: dict[str, object] = {}
    for key, value in arguments.items():
        parameter = parameters.get(key) or parameters.get(ANY)
        if parameter is None:
            close = nearest(key, parameters)
            raise UsageError(f"{name} has no parameter '{key}'" + (f", did you mean '{close}'?" if close else ""))
        if parameter.repeated:
            values = value if isinstance(value, list | tuple) else (value,)
            found[key] = tuple(_checked(key, each, parameter.kind) for each in values)
        elif value is not None or parameter.default is not None:
            found[key] = _checked(key, value, parameter.kind)
    missing = [each.name for each in parameters.values() if each.required and each.name not in found]
    if missing:
        raise UsageError(f"{name} needs '{missing[0]}'")
    return found


def _checked(name: str, value: object, kind: type) -> object:
    if kind is DType and isinstance(value, str):
        return DType.parse(value)
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return float(value)
    if not isinstance(value, kind) or (kind is not bool and isinstance(value, bool)):
        wanted = "True or False" if kind is bool else _KINDS.get(kind, "a data type")
        raise UsageError(f"'{name}' must be {wanted}, not {value!r}")
    return value


def ignores_errors(step: Invocation, text: str) -> bool:
    """Whether ``ignore_errors=true`` was given; the first one counts.

    Raises:
        TransformSyntaxError: it is neither true nor false.
    """
    for argument in step.arguments:
        if argument.name == "ignore_errors":
            value = argument.value.lower()
            if value not in ("true", "false"):
                raise TransformSyntaxError("ignore_errors must be true or false", text, argument.value_at)
            return value == "true"
    return False


def _convert(argument: Argument, parameter: Parameter, text: str) -> object:
    try:
        value = _parsed(argument.value, parameter.kind)
    except UsageError as error:
        raise TransformSyntaxError(f"'{argument.name}': {error}", text, argument.value_at) from None
    if value is None:
        message = f"'{argument.name}' must be {_KINDS[parameter.kind]}, not {argument.value!r}"
        raise TransformSyntaxError(message, text, argument.value_at)
    return value


def _parsed(text: str, kind: type) -> object:
    if kind is str:
        return text
    if kind is bool:
        return _BOOLS.get(text)
    if kind is DType:
        return DType.parse(text)
    return _int(text.strip(_BLANKS)) if kind is int else parse_float(text)


def _int(text: str) -> int | None:
    match = _INT.fullmatch(text)
    value = int(match[1] + (match[2] or "0")) if match else None
    return value if value is not None and -(1 << 63) <= value < 1 << 63 else None


def parse_float(text: str) -> float | None:
    """The number in `text` as the reference reads it (also ``nan``, ``inf``, hexadecimal), None for anything else."""
    text = text.strip(_BLANKS)
    if _FLOAT.fullmatch(text):
        return float(text)  # too large a number is infinite, as in the reference
    try:
        return float.fromhex(text) if _HEX.fullmatch(text) else None
    except (ValueError, OverflowError):
        return None
