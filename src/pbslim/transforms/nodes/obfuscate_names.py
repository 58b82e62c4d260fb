"""Replace the names of nodes by short meaningless ones.

Before::  input ─► conv1/weights/read ─► conv1/BiasAdd ─► output
After::   input ─► 0 ─► 1 ─► output

Names are counted in the order of the file: 0 … 9, a … z, A … Z, 10, 11 and so on. Colocations in
``_class`` follow. In functions that happens with ``functions=true`` alone; arguments and what is returned keep their
names there.
"""

from __future__ import annotations

import itertools
import string

from pbslim.ir import Graph
from pbslim.passes.registry import Context, transform

_DIGITS = string.digits + string.ascii_lowercase + string.ascii_uppercase


@transform(effect="exact", in_functions=True)
def obfuscate_names(graph: Graph, context: Context) -> None:
    """Rename every node but the inputs and outputs of the graph."""
    kept = context.protected
    free = (name for name in map(_numeral, itertools.count()) if name not in kept)
    graph.rename({node: next(free) for node in graph if node.name not in kept})


def _numeral(number: int) -> str:
    text = ""
    while number or not text:
        number, digit = divmod(number, len(_DIGITS))
        text = _DIGITS[digit] + text
    return text
