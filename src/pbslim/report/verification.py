"""A verification as tables and as JSON."""

from __future__ import annotations

import math
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from pbslim.errors import one_line
from pbslim.report import terminal
from pbslim.verification.metrics import Agreement
from pbslim.verification.results import Comparison, Layer, Verification

_WORST = 3


def show(found: Verification, paths: Sequence[Path]) -> None:
    """The result as tables on stdout, with notes on stderr."""
    console = terminal.stdout()
    columns = ["output", "shape", "max diff", "mean diff", "max value", "SNR", "cosine", "top-1", "top-5", ""]
    rows = [_row(each) for each in found.comparisons]
    kept = [i for i, name in enumerate(columns) if name in ("output", "") or any(row[i] for row in rows)]
    shown = [[row[i] for i in kept] for row in rows]
    right = [place for place, i in enumerate(kept) if 1 < i < len(columns) - 1]
    console.print(terminal.table([columns[i] for i in kept], shown, right=right))
    if found.layers:
        console.print(_layers(found))
    for line in summary(found):
        console.print(one_line(line), markup=False)
    for text in found.notes:
        terminal.note(text)
    for path, memory in zip(paths, found.memory, strict=False):
        resident, private = terminal.size_text(memory.resident), terminal.size_text(memory.private)
        terminal.note(f"{path} took {resident} of resident memory, {private} of it private")


def summary(found: Verification) -> list[str]:
    """The verdict, and what was measured as well, one line each."""
    lines = [f"verdict: {verdict_text(found)}"]
    if found.accuracy:
        before, after = found.accuracy.first, found.accuracy.second
        lines.append(f"accuracy: {_share(before)} before, {_share(after)} after")
    if found.metric:
        lines.append(f"metric: {found.metric[0]:.6g} before, {found.metric[1]:.6g} after")
    tried = f"{found.samples} samples ({found.origin})" if found.samples > 1 else found.origin
    lines.append(f"{tried}, run by the {found.engine} engine in {found.seconds:.1f} s")
    return lines


def verdict_text(found: Verification) -> str:
    """The verdict with the figures that it rests on."""
    figures = [] if found.snr == math.inf else [f"{_decibels(found.snr)}{_within(decibel_interval(found))}"]
    agreement = found.agreement
    if agreement is not None:
        figures.append(f"{agreement.share:.1%} of decisions agree{_within(_interval(agreement))}")
    return f"{found.verdict}" + (f": {', '.join(figures)}" if figures else "")


def content(found: Verification) -> dict[str, Any]:
    """The result for JSON; what is infinite or unknown is null."""
    plain: dict[str, Any] = _plain(asdict(found))
    outputs = [each | {"agrees": not each["problem"]} for each in plain.pop("comparisons")]
    worst = [layer.name for layer in found.worst_layers(_WORST)]
    figures = {
        "agrees": found.agrees,
        "snr": _plain(found.snr),
        "snr_interval": _plain(found.snr_interval),
        "agreement": _plain_agreement(found.agreement),
    }
    return {"verdict": str(found.verdict), **figures, "outputs": outputs, **plain, "worst_layers": worst} | {
        "verdict": str(found.verdict)
    }


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(each) for each in value]
    if isinstance(value, bytes):
        return b64encode(value).decode("ascii")
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _plain_agreement(found: Agreement | None) -> dict[str, Any] | None:
    return None if found is None else asdict(found)


def _row(found: Comparison) -> list[str]:
    shares = [f"{each.share:.1%}" if each else "" for each in (found.agreement, found.top_five)]
    return [
        found.output,
        str(list(found.shape)),
        f"{found.largest_difference:.3g}",
        f"{found.mean_difference:.2g}",
        f"{found.largest_value:.3g}",
        "" if found.snr is None or found.snr == math.inf else _decibels(found.snr),
        "" if found.cosine is None else f"{found.cosine:.6f}",
        *shares,
        found.problem or ("agrees" + (" (after a selection)" if found.is_ordered else "")),
    ]


def _layers(found: Verification) -> Any:
    worst = {layer.name: rank for rank, layer in enumerate(found.worst_layers(_WORST), 1)}
    rows = [
        [
            each.name,
            each.op,
            _decibels(each.snr),
            _decibels(each.own_snr),
            ", ".join(each.constants),
            _rank(worst, each),
        ]
        for each in found.layers
        if each.own_snr < math.inf or each.constants
    ]
    columns = ["layer", "op", "SNR here", "SNR by itself", "constants that differ", ""]
    return terminal.table(columns, rows or [["no layer differs", *[""] * 5]], right=(2, 3))


def _rank(worst: dict[str, int], layer: Layer) -> str:
    return f"loses most ({worst[layer.name]})" if layer.name in worst else ""


def _decibels(snr: float) -> str:
    return "equal" if snr == math.inf else f"{snr:.1f} dB"


def _share(found: Agreement) -> str:
    return f"{found.share:.2%} ({_interval(found)})"


def decibel_interval(found: Verification) -> str:
    """The interval of the signal to noise of the worst output; empty where it is not known."""
    return "{:.1f} to {:.1f} dB".format(*found.snr_interval) if found.snr_interval else ""


def _within(interval: str) -> str:
    return f" (95 % interval {interval})" if interval else ""


def _interval(found: Agreement) -> str:
    return f"{found.low:.1%} to {found.high:.1%}"
