"""Models that were rounded or quantized before: ``pbslim shrink`` beside one more ``quantize_weights`` of the old tool.

Usage:
    python benchmarks/quantized_before.py MODEL.pb... [--results FILE.json]

Each model is first rounded or quantized as transform_graph does it. Of the outcome, `shrink` then keeps as many dB as
``quantize_weights`` does, but no fewer than 20, and 80 where that changes nothing. Both results are compared with the
outcome on the same inputs. A run that is stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from pbslim import load, save, transform
from pbslim.analysis.endpoints import find_names
from pbslim.analysis.zipsize import zipped_size
from pbslim.passes.simplification import CLEAN
from pbslim.verification import compare_files

BEFORE = {
    "round_weights(num_steps=256)": "",
    "round_weights(num_steps=64)": "",
    "quantize_weights": "",
    "round_weights": "fold_all_batch_norms",
}
"""What a model has behind it: a transform, and one that followed."""

_LEAST, _SAME = 20.0, 80.0  # dB; float rounding alone makes more of a difference in some deep models than 100 leaves
_SAMPLES = 32


@dataclass(frozen=True)
class Row:
    """One model with what it has behind it: bytes as they are and zipped, and signal to noise in dB, None if equal."""

    model: str
    before: str
    old: tuple[int, int]
    old_snr: float | None
    new: tuple[int, int] = (0, 0)
    new_snr: float | None = None
    problem: str = ""


def main() -> None:
    """Measure what is not in the results yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.pb")
    parser.add_argument("--results", type=Path, help="a file to keep results in")
    options = parser.parse_args()
    known = json.loads(options.results.read_text()) if options.results and options.results.exists() else []
    rows = [Row(**each) for each in known]
    done = {(row.model, row.before) for row in rows}
    for path in options.models:
        for before, after in BEFORE.items():
            name = path.parent.name if path.stem == "model" else path.stem
            title = f"{before}, {after}" if after else before
            if (name, title) not in done:
                rows.append(measured(path, name, title, f"{before} {after}"))
                print(_line(rows[-1]), file=sys.stderr, flush=True)
                if options.results:
                    options.results.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    print("| model | before | `quantize_weights` | zipped | dB | `shrink` | zipped | dB |")
    print("| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(_line(row))


def measured(path: Path, name: str, before: str, transforms: str) -> Row:
    """Make the outcome, store its weights in both ways, and compare."""
    with tempfile.TemporaryDirectory() as folder:
        given, old, new = (Path(folder) / f"{each}.pb" for each in ("given", "old", "new"))
        _transform(path, given, CLEAN + transforms)
        _transform(given, old, "quantize_weights")
        old_snr = _snr(given, old)
        wanted = _SAME if old_snr is None else max(old_snr, _LEAST)
        row = Row(name, before, _sizes(old), old_snr)
        command = [sys.executable, "-m", "pbslim", "shrink", str(given), "-o", str(new), "--min-snr", f"{wanted:.2f}"]
        process = subprocess.run(command, capture_output=True, text=True, check=False)
        if process.returncode:
            return Row(**{**asdict(row), "problem": process.stderr.strip()[-200:]})
        return Row(**{**asdict(row), "new": _sizes(new), "new_snr": _snr(given, new)})


def _transform(source: Path, out: Path, transforms: str) -> None:
    graph = load(source)
    inputs, outputs = find_names(graph)
    transform(graph, transforms, inputs=inputs, outputs=outputs)
    save(graph, out)


def _snr(given: Path, result: Path) -> float | None:
    found = compare_files(given, result, samples=_SAMPLES, seed=1, timeout=600)
    return None if found.snr == float("inf") else found.snr


def _sizes(path: Path) -> tuple[int, int]:
    return path.stat().st_size, zipped_size(path, exact=True).bytes


def _line(row: Row) -> str:
    old, new = (" | ".join(f"{size / 1e3:,.0f} kB" for size in sizes) for sizes in (row.old, row.new))
    snrs = ["equal" if snr is None else f"{snr:.1f}" for snr in (row.old_snr, row.new_snr)]
    return f"| `{row.model}` | `{row.before}` | {old} | {snrs[0]} | {row.problem or f'{new} | {snrs[1]}'} |"


if __name__ == "__main__":
    main()
