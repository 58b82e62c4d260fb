"""What a report tells, as plain data: its JSON, from which the page and the Markdown are made.

``report.schema.json`` beside this module describes it. As long as its version stays the same, facts are only added.
"""

from __future__ import annotations

import math
import platform
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pbslim._version import __version__
from pbslim.analysis.endpoints import Endpoint, describe, find_names
from pbslim.analysis.zipsize import ZipSize, zipped_size
from pbslim.compression.plan import fingerprint
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.passes.pipeline import StepResult
from pbslim.report import verification
from pbslim.report.reporting import EXAMPLES
from pbslim.report.weights import Spread, Weight, biggest, feeding, spreads
from pbslim.shrinking.proof import Files
from pbslim.shrinking.shrink import ShrinkResult
from pbslim.verification.compare import compare_files, compare_layers
from pbslim.verification.results import Layer, Verification
from pbslim.wire import load
from pbslim.wire.given import Opened, opened

KIND, VERSION = "pbslim report", 1
SPREADS = 6
_WORST, _NAMED = 3, 3


@dataclass
class Look:
    """What only the two files show.

    Attributes:
        hashes: SHA-256 of both.
        ops: of both, with those in functions.
    """

    hashes: list[str] = field(default_factory=list)
    ops: list[dict[str, int]] = field(default_factory=list)
    weights: list[Weight] = field(default_factory=list)
    spreads: list[Spread] = field(default_factory=list)
    layers: list[Layer] = field(default_factory=list)

    def at(self, files: Files, layers: Sequence[Layer] | None = None) -> None:
        """Look at an original and its result.

        Args:
            layers: where they differ; found by running both when not given.
        """
        before, after = load(files.source), load(files.out)
        self.hashes = [fingerprint(files.source), fingerprint(files.out)]
        self.ops = [_ops(before), _ops(after)]
        self.weights = biggest(before, after)
        self.layers = _layers(files) if layers is None else list(layers)
        losing = sorted(self.layers, key=lambda each: each.own_snr)[:_WORST]
        rest = [each.name for each in self.layers if each not in losing]
        wanted = feeding(after, [each.name for each in losing if each.own_snr < math.inf], rest, before)
        self.spreads = spreads(before, after, files.outputs, wanted, SPREADS)


def of_shrink(result: ShrinkResult, look: Look, source: Path, target: Path, how: str, command: str) -> dict[str, Any]:
    """The facts on what `pbslim.shrink` did.

    Args:
        look: has seen both files.
        how: the recipe or quality, in words.
        command: what was typed.
    """
    if source.is_file():  # what was looked at may have been made of it
        look.hashes[0] = fingerprint(source)
    before, after = (
        _file(path, totals.size, totals.zipped, totals.nodes, totals.constants)
        for path, totals in ((source, result.before), (target, result.after))
    )
    steps = [_step(each) for each in result.steps]
    if steps[-1]["bytes"] != result.after.size:
        made = {"step": "weights in fewer bits", "bytes": result.after.size, "nodes": result.after.nodes}
        changed = len(result.plan.choices) if result.plan else None
        steps.append({**made, "changed": changed, "skipped": [], "notes": [], "error": None})
    return _content(
        look,
        result.verification,
        how=how,
        command=command,
        before=before,
        after=after,
        inputs=_ends(result.inputs),
        outputs=_ends(result.outputs),
        seconds=result.seconds,
        steps=steps,
        not_verified=result.not_verified or ("" if result.verification else "--no-verify was given"),
        notes=result.notes,
    )


def of_files(before: Path, after: Path, command: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """The facts on two files, the second made from the first.

    Args:
        options: how to compare them; see `compare_files`.

    Raises:
        PbslimError: a file cannot be read, a name is not in it, or the inputs that are given do not fit.
    """
    with ExitStack() as stack:
        one, other = stack.enter_context(opened(before)), stack.enter_context(opened(after))
        inputs, outputs = find_names(other.graph, options.get("inputs"), options.get("outputs"))
        found, problem = None, ""
        try:
            found = compare_files(before, after, per_layer=True, examples=EXAMPLES, **options)
        except PbslimError as error:
            given = options.get("feeds") or options.get("evaluation")
            if given and isinstance(error, UsageError):
                raise  # they may be what is wrong
            problem = str(error)
        look = Look()
        look.at(Files(one.path, other.path, inputs, inputs, outputs), layers=found.layers if found else [])
        return _content(
            look,
            found,
            how="comparison",
            command=command,
            before=_looked_at(before, one),
            after=_looked_at(after, other),
            inputs=_ends(describe(other.graph, inputs)),
            outputs=_ends(describe(other.graph, outputs)),
            seconds=None,
            steps=[],
            not_verified=problem,
            notes=[],
        )


def _looked_at(path: Path, found: Opened) -> dict[str, Any]:
    constants = sum(node.op == "Const" for node in found.graph)
    return _file(path, found.path.stat().st_size, zipped_size(found.path), len(found.graph), constants)


def _content(look: Look, found: Verification | None, **facts: Any) -> dict[str, Any]:
    told = verification.content(found) if found else {}
    examples = told.pop("examples", [])
    for name in ("layers", "worst_layers", "memory", "metric"):
        told.pop(name, None)
    for side, digest, ops in zip((facts["before"], facts["after"]), look.hashes, look.ops, strict=True):
        side.update(sha256=digest, ops=ops)
    tool = {"pbslim": __version__, "python": platform.python_version(), "numpy": np.__version__}
    return {
        "kind": KIND,
        "version": VERSION,
        **facts,
        "tool": {**tool, "platform": platform.platform()},
        "weights": [asdict(each) for each in look.weights],
        "spreads": [asdict(each) for each in look.spreads],
        "layers": [_layer(each) for each in look.layers],
        "verification": told or None,
        "examples": examples,
        "notes": list(dict.fromkeys([*facts["notes"], *(found.notes if found else ())])),
    }


def _ends(found: Sequence[Endpoint]) -> list[dict[str, str]]:
    return [asdict(each) for each in found]


def _layer(found: Layer) -> dict[str, Any]:
    figures = {"snr": _decibels(found.snr), "own_snr": _decibels(found.own_snr)}
    return {**asdict(found), **figures, "constants": list(found.constants)}


def _decibels(snr: float) -> float | None:
    return snr if math.isfinite(snr) else None


def _file(path: Path, size: int, zipped: ZipSize, nodes: int, constants: int) -> dict[str, Any]:
    plain = {"file": path.name or str(path), "bytes": size, "zipped": zipped.bytes, "zipped_exactly": zipped.exact}
    return {**plain, "nodes": nodes, "constants": constants}


def _step(result: StepResult) -> dict[str, Any]:
    skipped: dict[str, list[str]] = {}
    for each in result.skipped:
        skipped.setdefault(each.reason, []).append(each.node)
    reasons = [
        {"reason": reason, "count": len(nodes), "nodes": nodes[:_NAMED]}
        for reason, nodes in sorted(skipped.items(), key=lambda item: -len(item[1]))
    ]
    return {
        "step": result.step,
        "bytes": result.size,
        "nodes": result.nodes_after,
        "changed": len(result.changed),
        "skipped": reasons,
        "notes": result.notes,
        "error": result.error or None,
    }


def _ops(graph: Graph) -> dict[str, int]:
    counts = Counter(node.op for node in graph)
    for function in graph.library.functions.values():
        counts.update(function.ops)
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))


def _layers(files: Files) -> list[Layer]:
    renamed = files.new_inputs if list(files.new_inputs) != list(files.inputs) else None
    try:
        return compare_layers(
            files.source,
            files.out,
            inputs=files.inputs,
            second_inputs=renamed,
            outputs=files.outputs,
            engine="builtin",
            cautious=True,
        )
    except PbslimError:
        return []
