"""Size and quality of models by ``pbslim shrink`` without a recipe, on inputs that it has never seen.

Usage:
    python benchmarks/compression.py MODEL.pb|FOLDER... --photographs FOLDER [--inputs FOLDER] [--results FILE.json]

Each model is compressed by a process of its own, which tells what it took; a run that is stopped goes on where it was.
Models that take images are tried on each of the photographs, and on random parts of it; others on the arrays in
``NAME.npz`` of the folder of inputs, NAME being that of the model's file or, where it is ``model.pb``, of its folder.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pbslim import load
from pbslim.analysis.endpoints import find_names
from pbslim.compression.promises import PROMISES
from pbslim.verification import compare_files
from pbslim.verification.feeds import generate_samples
from pbslim.verification.given import read_pictures

_LARGE, _SMALL = 1_000_000, 500_000
Array = np.ndarray[Any, Any]


@dataclass(frozen=True)
class Row:
    """One model at one quality: sizes in bytes, signal to noise in dB, CPU seconds, bytes of memory.

    Attributes:
        promised: signal to noise that shrink found on inputs of its own.
        snr, agreement: on the inputs that nothing has seen.
        problem: why there is no result.
    """

    model: str
    quality: str
    raw: tuple[int, int] = (0, 0)
    zipped: tuple[int, int] = (0, 0)
    promised: float = 0.0
    snr: float | None = None
    agreement: float | None = None
    decisions: int = 0
    seconds: float = 0.0
    memory: int = 0
    problem: str = ""

    @property
    def ratios(self) -> tuple[float, float]:
        """How many times smaller than the original file, as it is and zipped."""
        return self.raw[0] / max(self.raw[1], 1), self.raw[0] / max(self.zipped[1], 1)


def main() -> None:
    """Measure what is not in the results yet, then print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, metavar="MODEL.pb|FOLDER")
    parser.add_argument("--photographs", type=Path, help="a folder of pictures for the models that take images")
    parser.add_argument(
        "--parts", type=int, default=4, help="how often each photograph is used: whole, then parts of it"
    )
    parser.add_argument("--inputs", type=Path, help="a folder of NAME.npz for the others")
    parser.add_argument("--calibrate", type=Path, help="a folder of NAME.npz to calibrate with; generated if not there")
    parser.add_argument("--quality", nargs="+", default=["balanced", "near-lossless"], choices=list(PROMISES))
    parser.add_argument("--results", type=Path, help="a file to keep results in")
    parser.add_argument("--keep", type=Path, help="a folder for the compressed models")
    options = parser.parse_args()
    known = json.loads(options.results.read_text()) if options.results and options.results.exists() else []
    rows = [Row(**each) for each in known]
    done = {(row.model, row.quality) for row in rows}
    for quality in options.quality:
        for path in _models(options.models):
            if (name_of(path), quality) not in done:
                rows.append(measured(path, quality, options))
                print(_line(rows[-1]), file=sys.stderr, flush=True)
                if options.results:
                    options.results.write_text(json.dumps([asdict(row) for row in rows], indent=1))
    for quality in options.quality:
        print_table([row for row in rows if row.quality == quality], quality)


def _models(paths: Iterable[Path]) -> list[Path]:
    found = [sorted(path.rglob("*.pb")) if path.is_dir() else [path] for path in paths]
    return [path for each in found for path in each]


def name_of(path: Path) -> str:
    """What a model is called."""
    return path.parent.name if path.stem == "model" else path.stem


def measured(path: Path, quality: str, options: argparse.Namespace) -> Row:
    """Compress a model and try the result."""
    name = name_of(path)
    with tempfile.TemporaryDirectory() as folder:
        out = (options.keep or Path(folder)) / f"{name}-{quality}.pb"
        command = [sys.executable, "-m", "pbslim", "shrink", path, "-o", out, "--quality", quality]
        command += ["--exact-zip", "--json"]
        if options.calibrate and (options.calibrate / f"{name}.npz").exists():
            command += ["--calibrate", options.calibrate / f"{name}.npz"]
        with (Path(folder) / "told").open("w+") as told, (Path(folder) / "errors").open("w+") as errors:
            process = subprocess.Popen(command, stdout=told, stderr=errors)
            memory = _watch(process)
            _, status, usage = os.wait4(process.pid, 0)
            told.seek(0)
            errors.seek(0)
            if os.waitstatus_to_exitcode(status) != 0:
                return Row(name, quality, problem=errors.read().strip()[-300:])
            found = json.loads(told.read())
        seconds = usage.ru_utime + usage.ru_stime
        sizes = {key: (found["before"][key], found["after"][key]) for key in ("size", "zipped")}
        zipped = (sizes["zipped"][0]["bytes"], sizes["zipped"][1]["bytes"])
        verification = found["verification"] or {}
        row = Row(name, quality, sizes["size"], zipped, verification.get("snr") or 0.0, seconds=seconds, memory=memory)
        judged = [each["output"] for each in verification.get("outputs", ())]
        tried = _tried(path, out, name, judged, options)
        return Row(**{**asdict(row), **tried})


def _watch(process: subprocess.Popen[Any]) -> int:
    """The most memory that a process and those that it starts hold together, in bytes."""
    most = 0
    while os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        most = max(most, _resident(process.pid))
        time.sleep(0.5)
    return most


def _resident(pid: int, parent: bytes = b"") -> int:
    total = 0
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        if command == parent:
            return 0  # it has not begun what it was started for, and until then all its memory is that of its parent
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        total += sum(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(_resident(int(child), command) for child in (task / "children").read_text().split())
    except (OSError, ValueError):
        pass  # it has ended
    return total


def _tried(source: Path, out: Path, name: str, judged: Sequence[str], options: argparse.Namespace) -> dict[str, Any]:
    """What unseen inputs say of the tensors that shrink judged: of outputs after a selection, what it chooses from."""
    feeds = unseen(source, name, options.photographs, options.inputs, options.parts)
    if feeds is None:
        return {}
    found = compare_files(source, out, feeds, outputs=judged or None, timeout=600)
    agreement = found.agreement
    snr = found.snr if math.isfinite(found.snr) else None
    return {
        "snr": snr,
        "agreement": agreement.share if agreement else None,
        "decisions": agreement.decisions if agreement else 0,
    }


def unseen(
    source: Path, name: str, photographs: Path | None, inputs: Path | None, parts: int = 4
) -> Mapping[str, Array] | None:
    """Inputs for a model that shrink does not know; None if there are none."""
    if inputs and (inputs / f"{name}.npz").exists():
        with np.load(inputs / f"{name}.npz") as arrays:
            return {key: _strings(arrays[key]) for key in arrays.files if key not in ("labels", "label")}
    if photographs is None:
        return None
    pictures = read_pictures(photographs)
    graph = load(source)
    names = find_names(graph)[0]
    made = generate_samples(graph, names, samples=parts * len(pictures), pictures=lambda: pictures, made_up=False)
    if "photographs" not in made.origin:
        return None
    return {key: np.concatenate([batch[key] for batch in made.batches]) for key in made.batches[0]}


def _strings(array: Array) -> Array:
    return array.astype(object) if array.dtype.kind in "SU" else array


def print_table(rows: Sequence[Row], quality: str) -> None:
    """As Markdown, with geometric means."""
    print(f"\n{quality}\n\n| model | MB | zipped | smaller | zipped | dB | unseen dB | equal | CPU s | MB memory |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for row in rows:
        print(_line(row))
    good = [row for row in rows if not row.problem]
    for label, chosen in (
        ("over 1 MB", [row for row in good if row.raw[0] > _LARGE]),
        ("under 0.5 MB", [row for row in good if row.raw[0] < _SMALL]),
    ):
        if chosen:
            means = [math.exp(sum(math.log(row.ratios[i]) for row in chosen) / len(chosen)) for i in range(2)]
            print(f"| geometric mean of those {label} | | | {means[0]:.2f}x | {means[1]:.2f}x | | | | | |")


def _line(row: Row) -> str:
    if row.problem:
        return f"| {row.model} | {row.problem} |"
    raw, zipped = row.ratios
    snr = "" if row.snr is None else f"{row.snr:.1f}"
    equal = "" if row.agreement is None else f"{row.agreement:.1%}"
    sizes = f"{row.raw[1] / 1e6:.3f} | {row.zipped[1] / 1e6:.3f} | {raw:.2f}x | {zipped:.2f}x"
    return (
        f"| {row.model} | {sizes} | {row.promised:.1f} | {snr} | {equal} | {row.seconds:.0f} | {row.memory / 1e6:.0f} |"
    )


if __name__ == "__main__":
    main()
