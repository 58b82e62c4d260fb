"""Public names that are loaded on first use: the command line must start at once.

``__init__.pyi`` of a package is the one table of them: each is imported there from the module that holds it. Type
checkers and editors read it, and so does this module.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from importlib import import_module
from typing import Any


@cache
def places(package: str) -> dict[str, str]:
    """Each public name of `package` → the module that holds it."""
    import ast
    from pkgutil import get_data

    import_module(package)
    table = ast.parse(get_data(package, "__init__.pyi") or b"")
    imports = [node for node in table.body if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def load(package: str, name: str) -> Any:
    """What `package` calls `name`.

    Raises:
        AttributeError: the table does not have it.
    """
    if name == "__all__":
        return list(places(package))
    if name.startswith("__") or name not in places(package):
        raise AttributeError(f"module '{package}' has no attribute '{name}'")
    found = getattr(import_module(places(package)[name]), name)
    setattr(sys.modules[package], name, found)
    return found


def attach(package: str) -> tuple[Callable[[str], Any], Callable[[], list[str]]]:
    """``__getattr__`` and ``__dir__`` of `package`."""
    return lambda name: load(package, name), lambda: sorted(places(package))
