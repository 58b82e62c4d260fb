"""Public names that are loaded when somebody asks for them.

``__init__.pyi`` of a package is the one table of them: each is imported there from the module that holds it. Type
checkers and editors read it, and so does this module.
"""

from __future__ import annotations

import ast
from functools import cache
from importlib import import_module
from pkgutil import get_data
from typing import Any


@cache
def places(package: str) -> dict[str, str]:
    """Each public name of `package` → the module that holds it."""
    table = ast.parse(get_data(package, "__init__.pyi") or b"")
    imports = [node for node in table.body if isinstance(node, ast.ImportFrom) and node.module]
    return {alias.name: str(node.module) for node in imports for alias in node.names}


def load(package: str, name: str) -> Any:
    """What `package` calls `name`; for its ``__getattr__``.

    Raises:
        AttributeError: the table does not have it.
    """
    if name.startswith("__") or name not in places(package):
        raise AttributeError(f"module '{package}' has no attribute '{name}'")
    return getattr(import_module(places(package)[name]), name)
