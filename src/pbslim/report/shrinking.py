"""What `shrink` did, as tables and as JSON."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pbslim.analysis.zipsize import ZipSize
from pbslim.compression.plan import Plan
from pbslim.errors import one_line
from pbslim.report import terminal, verification
from pbslim.shrinking.attempts import Attempt
from pbslim.shrinking.many import Outcome
from pbslim.shrinking.proof import advice, is_alarming
from pbslim.shrinking.shrink import ShrinkResult
from pbslim.verification.benchmark import Measurement


def show(result: ShrinkResult, target: Path, how: str, *, explain: bool) -> None:
    """Sizes, verdict and time on stdout.

    Args:
        how: the recipe, or what was asked for, in words.
    """
    console = terminal.stdout()
    said = result.signature
    for label, endpoints, keys in (
        ("input", result.inputs, said.inputs if said else {}),
        ("output", result.outputs, said.outputs if said else {}),
    ):
        for endpoint in endpoints:
            names = [key for key, tensor in keys.items() if tensor == endpoint.name != key]
            alias = f" ({', '.join(names)} in the model)" if names else ""
            console.print(f"{label:7} {one_line(str(endpoint) + alias)}", markup=False)
    if explain and result.plan:
        console.print(_weights(result.plan))
    before, after = result.before, result.after
    rows = [
        ("nodes", str(before.nodes), str(after.nodes), ""),
        ("constants", str(before.constants), str(after.constants), ""),
        _size_row("bytes", before.size, after.size),
        _zip_row(before.zipped, after.zipped),
        *_verdict_rows(result),
        *_measured_rows(result.measurements),
        ("time", "", f"{result.seconds:.1f} s", ""),
    ]
    console.print(terminal.table(["", "before", "after", ""], rows, right=(1, 2, 3)))
    console.print(f"{target} written in {result.seconds:.2f} s ({how})", markup=False)
    if result.verification:
        for line in verification.summary(result.verification):
            console.print(one_line(line), markup=False)


def show_all(outcomes: Sequence[Outcome]) -> None:
    """A line on stdout for each of several models, and one for all together; there is room for 80 letters."""
    rows = [(each.source.name, *_figures([each.result] if each.result else []), *_verdict(each)) for each in outcomes]
    found = [each.result for each in outcomes if each.result]
    if len(found) > 1:
        rows.append(("all", *_figures(found), "", "", ""))
    columns = ["model", "bytes", "smaller", "zipped", "verdict", "dB", "equal"]
    terminal.stdout().print(terminal.table(columns, rows, right=(1, 2, 3, 5, 6)))


def _figures(results: Sequence[ShrinkResult]) -> tuple[str, str, str]:
    """The size of the results, and how many times smaller they and their zips are than what they were made of."""
    if not results:
        return "", "", ""
    before, after = (sum(size) for size in zip(*((r.before.size, r.after.size) for r in results), strict=True))
    zips = [sum(size) for size in zip(*((r.before.zipped.bytes, r.after.zipped.bytes) for r in results), strict=True)]
    return terminal.size_text(after), f"{before / max(after, 1):.2f}x", f"{zips[0] / max(zips[1], 1):.2f}x"


def _verdict(outcome: Outcome) -> tuple[str, str, str]:
    """The verdict, the signal to noise in dB and the share of equal decisions."""
    if outcome.result is None:
        return "refused" if outcome.is_refused else "failed", "", ""
    found = outcome.result.verification
    if found is None:
        return "not verified", "", ""
    share = f"{found.agreement.share:.1%}" if found.agreement else ""
    return str(found.verdict), f"{found.snr:.1f}" if found.snr < math.inf else "", share


def warn(result: ShrinkResult) -> None:
    """Notes on stderr about a result that is worse than it should be, or that could not be verified."""
    found = result.verification
    if result.not_verified:
        terminal.note(f"not verified: {result.not_verified}")
    for text in dict.fromkeys([*result.notes, *(found.notes if found else ())]):
        terminal.note(text)
    if found and is_alarming(found, result.recipe, result.promise):
        terminal.say(
            f"WARNING: the result is {verification.verdict_text(found)}{advice(result.recipe, result.promise)}"
        )


def content(result: ShrinkResult, target: Path) -> dict[str, Any]:
    """The result for JSON."""
    found = verification.content(result.verification) if result.verification else None
    tried = [_attempt(each) for each in result.attempts]
    measured = [asdict(each) | {"path": str(each.path)} for each in result.measurements]
    plain = asdict(replace(result, verification=None, attempts=[], measurements=[]))
    plain |= {"verification": found, "attempts": tried, "measurements": measured}
    return plain | {"steps": terminal.step_rows(result.steps), "out": str(target)}


def _attempt(tried: Attempt) -> dict[str, Any]:
    found = verification.content(tried.verification) if tried.verification else None
    return asdict(replace(tried, verification=None)) | {"verification": found}


def _weights(plan: Plan) -> Any:
    """How each weight is stored and why, the ones that disturb most first."""
    columns = ["weight", "kind", "elements", "stored as", "step", "bits", "because"]
    rows = [
        (
            one_line(each.name),
            each.kind,
            f"{each.elements:,}",
            each.form,
            "" if each.form in ("float32", "float16", "exact") else f"{each.coarseness:.3f} rms",
            f"{each.bits:.2f}",
            each.why,
        )
        for each in sorted(plan.choices, key=lambda each: -each.noise)
    ]
    return terminal.table(columns, rows, right=(2, 4, 5))


def _verdict_rows(result: ShrinkResult) -> list[tuple[str, str, str, str]]:
    """How the result compares with the original, as far as anybody looked."""
    found = result.verification
    if found is None:
        return [("verdict", "", "not verified", "")] if result.not_verified else []
    rows = [("verdict", "", str(found.verdict), "")]
    if found.snr < math.inf:
        rows.append(("SNR", "", f"{found.snr:.1f} dB", verification.decibel_interval(found)))
    if found.agreement:
        agreed = found.agreement
        rows.append(("decisions", "", f"{agreed.share:.1%} equal", f"{agreed.low:.1%} to {agreed.high:.1%}"))
    if found.accuracy:
        rows.append(("accuracy", f"{found.accuracy.first.share:.2%}", f"{found.accuracy.second.share:.2%}", ""))
    return rows


def _measured_rows(found: Sequence[Measurement]) -> list[tuple[str, str, str, str]]:
    """What both files take to load and to run."""
    if not found:
        return []
    rows = [
        ("load", *(f"{1e3 * each.load:.0f} ms" for each in found), found[0].engine),
        ("first run", *(f"{1e3 * each.first:.1f} ms" for each in found), ""),
        ("later runs", *(f"{1e3 * each.median:.1f} ms" for each in found), ""),
    ]
    memory = [each.memory for each in found if each.memory]
    if len(memory) == len(found):
        rows.append(("memory", *(terminal.size_text(each.private) for each in memory), ""))
    return [(row[0], row[1], row[2], row[3]) for row in rows]


def _size_row(label: str, before: int, after: int) -> tuple[str, str, str, str]:
    return label, terminal.size_text(before), terminal.size_text(after), terminal.ratio_text(before, after)


def _zip_row(before: ZipSize, after: ZipSize) -> tuple[str, str, str, str]:
    label, *figures, ratio = _size_row("zipped", before.bytes, after.bytes)
    marked = [text if size.exact else f"≈ {text}" for text, size in zip(figures, (before, after), strict=True)]
    return label, marked[0], marked[1], ratio
