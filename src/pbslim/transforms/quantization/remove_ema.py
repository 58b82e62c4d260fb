"""Let fake quantizations take their ranges as training left them, without following them any further.

Before::  x ─► FakeQuant(Assign(min, moving average of Min(x)), Assign(max, moving average of Max(x))) ─► y
After::   x ─► FakeQuant(min, max) ─► y

For graphs that fake_quantize_training made and whose variables were frozen to constants after training.
"""

from __future__ import annotations

from collections.abc import Sequence

from pbslim.ir import Graph, Node
from pbslim.passes.registry import Context, transform
from pbslim.rewrite import Match, Pattern, Skip, anything, const, op, rewrite

_FAKE_QUANT = "FakeQuantWithMinMaxVars"


def _average(of: Pattern, name: str) -> Pattern:
    """The moving average of `of` in the constant `name`, which was a variable."""
    change = op("Mul", op("Sub"), op("Sub", const(), const()))
    moved = op("Sub", const(f"{name} before"), change)
    return op("Assign", const(name), op("Merge", op("Switch", of, op("IsVariableInitialized")), moved))


_MIN = op("Min", anything(), op("Range", anything(), anything(), anything()))
_PATTERN = op(_FAKE_QUANT, anything("x"), _average(_MIN, "min"), _average(op("Max"), "max"))


@transform(effect="lossy")
def remove_ema(graph: Graph, context: Context) -> None:
    """Give each FakeQuantWithMinMaxVars the constants that hold its range; moving averages that nothing needs go.

    Freeze the graph before: the range must be in a Const. quantize_nodes turns what is left into eight-bit ops.
    """

    def fix_range(match: Match) -> Sequence[Node]:
        node = match.root
        for name in ("min", "max"):
            if match[name] is not match[f"{name} before"]:
                raise Skip(f"'{match[name].name}' is not a moving average of its own past")
        kept = [node, match["x"], match["min"], match["max"]]
        node.set_inputs([node.inputs[0], match["min"].output(), match["max"].output()])
        idle = _idle(match, kept, context)
        node.set_controls([*node.controls, *(c for each in idle for c in each.controls if c not in idle)])
        return [*kept, *(each for each in match if each not in idle)]

    while (report := rewrite(graph, _PATTERN, fix_range)).applied:
        pass
    context.merge(report)
    seen = {skipped.node for skipped in report.skipped}
    for node in graph:
        if node.op == _FAKE_QUANT and node.name not in seen and any(v.node.op == "Assign" for v in node.inputs[1:]):
            context.skip(node.name, _why_unmatched(node))


def _idle(match: Match, kept: Sequence[Node], context: Context) -> set[Node]:
    """The nodes of `match` that nothing needs any more."""
    idle = {node for node in match if node not in kept and node.name not in context.protected}
    while needed := {node for node in idle if not idle.issuperset(node.readers)}:
        idle -= needed
    return idle


def _why_unmatched(node: Node) -> str:
    variables = (value.node.inputs[0].node for value in node.inputs[1:] if value.node.inputs)
    for variable in variables:
        if variable.op != "Const":
            return f"its range is in '{variable.name}' ({variable.op}); freeze the graph before"
    return "its range does not follow a moving average of Min and Max as fake_quantize_training makes it"
