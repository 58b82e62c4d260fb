"""Rules for weights in a YAML file: names, in which ``*`` stands for anything, and schemes."""

from __future__ import annotations

from pathlib import Path

from pbslim.compression.schemes import Rule
from pbslim.errors import UsageError


def read_rules(path: Path) -> tuple[Rule, ...]:
    """The rules in a file such as ``conv*/weights: int8``, one per line.

    Raises:
        UsageError: it cannot be read, is no such file, or PyYAML is not installed.
    """
    try:
        import yaml
    except ImportError:
        raise UsageError("reading YAML needs PyYAML; run: pip install 'pbslim[yaml]'") from None
    try:
        content = yaml.safe_load(path.read_text("utf-8"))
    except OSError as error:
        raise UsageError(f"cannot read '{path}': {error.strerror or error}") from None
    except (ValueError, RecursionError, yaml.YAMLError) as error:
        raise UsageError(f"'{path}' is not YAML: {error}") from None
    if not isinstance(content, dict) or not all(isinstance(text, str) for pair in content.items() for text in pair):
        raise UsageError(f"'{path}' is not a list of names and schemes, such as 'conv*/weights: int8'")
    try:
        return tuple(Rule.parse(f"{name}={scheme}") for name, scheme in content.items())
    except UsageError as error:
        raise UsageError(f"'{path}': {error}") from None
