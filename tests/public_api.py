"""The public names with the signatures of functions, for ``data/public_api.txt``.

Usage, after a change on purpose that the changelog tells users of:
    python -m tests.public_api
"""

from __future__ import annotations

import inspect
import re

import pbslim
from tests.shared import ROOT

FILE = ROOT / "tests" / "data" / "public_api.txt"


def lines() -> list[str]:
    """One line for each name."""
    found = []
    for name in dir(pbslim):
        value = getattr(pbslim, name)
        signature = str(inspect.signature(value)) if inspect.isfunction(value) else ""
        found.append(name + re.sub(r"(: |-> )'([^']*)'", r"\1\2", signature))
    return found


if __name__ == "__main__":
    FILE.write_text("\n".join([*lines(), ""]))
