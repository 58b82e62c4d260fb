"""Read damaged files in every way there is, and print in JSON what came of it.

Usage:
    python read_damaged.py packages|graphs FOLDER FIRST COUNT

FOLDER holds sound files; what the seeds from FIRST on make of them is read.
"""

from __future__ import annotations

import gc
import json
import resource
import signal
import sys
import traceback
from collections import Counter
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from time import perf_counter
from types import FrameType
from zlib import crc32

import pbslim
from pbslim.analysis.endpoints import find_endpoints
from pbslim.errors import DecodeError, PbslimError
from pbslim.passes import registry
from pbslim.shrinking.recipes import RECIPES
from pbslim.wire.memmapped import lay_out, package_of
from tests.commands import run
from tests.corpus.damage import damaged
from tests.corpus.damage_graphs import damaged_graph

SECONDS = 10
STATUS = Path("/proc/self/status")
BYTES_PER_UNIT = 1 if sys.platform == "darwin" else 1024  # of ru_maxrss


def does(*args: object) -> bool:
    """Whether the command line does it; if not, it must say why in one line."""
    done = run(*args)
    assert done.code == 0 or done.refused, done
    return done.code == 0


def examine_package(path: Path, folder: Path) -> str:
    """What `path` turns out to be."""
    inspected, unmapped = does("inspect", path), does("unmap", path, "-o", folder / "g.pb")
    try:
        graph = pbslim.load(path)
    except PbslimError:
        assert not inspected
        assert not unmapped
        assert not list(folder.iterdir())
        return "refused"
    package = package_of(graph)
    if package is None:
        assert not unmapped
        return "a graph"
    end = 0
    for region in package.regions:
        assert end <= region.offset <= region.end <= package.directory_offset, region
        end = region.end
    lay_out(path, folder)
    if unmapped:
        again = pbslim.load(folder / "g.pb")
        assert [(node.name, node.op) for node in again] == [(node.name, node.op) for node in graph]
    return "a package" if inspected and unmapped else "a package with a broken graph"


ARGUMENTS = {
    "freeze_requantization_ranges": "(min_max_log_file=gone)",
    "remove_attribute": "(attribute_name=T)",
    "remove_nodes": "(op=Identity, op=Switch, op=Add)",
    "rename_attribute": "(old_attribute_name=T, new_attribute_name=U)",
    "rename_node": "(old_node_name=x, new_node_name=other)",
    "rename_op": "(old_op_name=Add, new_op_name=Sub)",
    "set_device": "(device='/cpu:0')",
    "fold_batch_norms": "(algebraic=true)",
    "fold_constants": "(prune_branches=true, drop_idle_controls=true)",
}
SHARE = 0.3  # of all that can be done to a graph, which each of them is put through


def readable(path: Path) -> bool:
    """Whether `path` is a graph again; one without nodes is left where no outputs can be found."""
    try:
        pbslim.load(path)
    except DecodeError as error:
        return "it has no nodes" in str(error)
    return True


def examine_graph(path: Path, folder: Path) -> str:
    """What `path` turns out to be."""
    random = Random(crc32(path.read_bytes()))  # noqa: S311 - nothing secret
    whole = does("inspect", path)
    try:
        inputs, outputs = find_endpoints(pbslim.load(path))
    except PbslimError:
        inputs = outputs = []
    names = [",".join(each.name for each in found) for found in (inputs, outputs)]
    out = folder / "out"
    commands: list[list[object]] = [
        ["shrink", path, "-o", out, "--no-verify", "--recipe", recipe] for recipe in RECIPES
    ]
    for name in registry.names():
        functions = "(functions=true)" if registry.find(name).in_functions and random.random() < 0.5 else ""
        steps = f"--transforms={name}{ARGUMENTS.get(name, functions)}"
        ends = f"--inputs={names[0]}", f"--outputs={names[1]}"
        commands.append(["transform_graph", f"--in_graph={path}", f"--out_graph={out}", *ends, steps])
    ends = f"--input_names={names[0]}", f"--output_names={names[1]}"
    commands.append(["optimize_for_inference", f"--input={path}", f"--output={out}", *ends])
    for mode in ("round", "weights", "weights_rounded", "eightbit"):
        ends = f"--output_node_names={names[1]}", f"--mode={mode}"
        commands.append(["quantize_graph", f"--input={path}", f"--output={out}", *ends])
    ends = f"--input_node_names={names[0]}", f"--output_node_names={names[1]}"
    commands.append(["strip_unused", f"--input_graph={path}", f"--output_graph={out}", *ends])
    sizes = "--min_conversion_tensor_size=1"
    commands.append(["convert_graphdef_memmapped_format", f"--in_graph={path}", f"--out_graph={out}", sizes])
    commands += [["summarize_graph", f"--in_graph={path}"], ["ops", path], ["ops", path, "--header=-"]]
    commands += [["compare_graphs", path, path], ["diff", path, path], ["graph_to_dot", "--graph", path]]
    for command in commands:
        if random.random() < SHARE and does(*command) and out.exists():
            assert readable(out)
        out.unlink(missing_ok=True)
    return "a graph" if whole else "refused"


KINDS = {"packages": (examine_package, damaged), "graphs": (examine_graph, damaged_graph)}


def out_of_time(_signal: int, _frame: FrameType | None) -> None:
    """What the alarm does."""
    raise TimeoutError


def peak() -> float:
    """The most memory that this process has had, in MB."""
    if STATUS.exists():  # Linux; there, the figure of the other way begins with what the parent had
        lines = dict(line.split(":", 1) for line in STATUS.read_text().splitlines())
        return int(lines["VmHWM"].split()[0]) * 1024 / 1e6
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * BYTES_PER_UNIT / 1e6


def main() -> None:
    """Examine them all."""
    examine, damage = KINDS[sys.argv[1]]
    sound = [file.read_bytes() for file in sorted(Path(sys.argv[2]).iterdir())]
    first, count = int(sys.argv[3]), int(sys.argv[4])
    signal.signal(signal.SIGALRM, out_of_time)
    found: Counter[str] = Counter()
    failures: list[str] = []
    slowest, largest, before = 0.0, 0, peak()
    for seed in range(first, first + count):
        data = damage(seed, sound)
        with TemporaryDirectory() as scratch:
            path, folder = Path(scratch) / "damaged", Path(scratch) / "out"
            path.write_bytes(data)
            folder.mkdir()
            started = perf_counter()
            signal.alarm(SECONDS)
            try:
                found[examine(path, folder)] += 1
            except Exception:  # noqa: BLE001 - that is what is looked for
                failures.append(f"seed {seed}: {traceback.format_exc()}")
            signal.alarm(0)
        gc.collect()
        slowest, largest = max(slowest, perf_counter() - started), max(largest, len(data))
    figures = {"seconds": slowest, "largest": largest / 1e6, "grown": peak() - before}
    print(json.dumps({"found": found, "failures": failures, **figures}))  # noqa: T201


main()
