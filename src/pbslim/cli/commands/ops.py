"""``pbslim ops``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from pbslim.analysis.compatibility import Incompatibility, incompatibilities
from pbslim.analysis.inventory import OpUse, op_inventory
from pbslim.cli.command import Command
from pbslim.cli.commands.print_selective_registration_header import default_ops_option, kernels_option
from pbslim.cli.options import FILE, json_option
from pbslim.errors import PbslimError, UsageError
from pbslim.ir import Graph
from pbslim.legacy.print_selective_registration_header import selective_registration_header
from pbslim.ops.history import Release, release
from pbslim.report import terminal
from pbslim.wire import load
from pbslim.wire.outputs import replacing, require_apart

_SHOWN = 3


@click.command(
    "ops",
    cls=Command,
    examples=[
        "pbslim ops model.pb --since 1.4",
        "pbslim ops a.pb b.pb --header=ops_to_register.h",
    ],
)
@click.argument("models", metavar="MODEL.pb...", nargs=-1, type=FILE)
@click.option(
    "--header",
    type=FILE,
    is_flag=False,
    flag_value="ops_to_register.h",
    help="Write the header for TensorFlow's selective registration; - for stdout, ops_to_register.h if not named.",
)
@default_ops_option
@kernels_option
@click.option("--since", metavar="RELEASE", help="Check the graphs against what this TensorFlow accepts, such as 1.4.")
@click.option("--nodes", is_flag=True, help="With --since: name every node.")
@json_option
def command(
    models: tuple[Path, ...],
    header: Path | None,
    default_ops: str,
    kernels: str,
    since: str | None,
    nodes: bool,
    as_json: bool,
) -> int:
    """List the ops that graphs need; exit code 1 if --since names a TensorFlow that does not accept them."""
    if not models:
        raise UsageError("name the graphs to look at")
    if header:
        require_apart(header, *models)
    graphs = {str(path): load(path) for path in models}
    wanted = release(since) if since is not None else None
    found = {path: _check(wanted, path, graph) for path, graph in graphs.items()} if wanted else {}
    if header:
        write_header(list(graphs.values()), header, default_ops, kernels)
    if wanted and since and since.split(".")[:2] != wanted.name.split("."):
        terminal.note(f"the ops of TensorFlow {since} are not known here, so those of {wanted.name} are taken")
    used = op_inventory(graphs.values())
    if as_json:
        content: dict[str, Any] = {"ops": [asdict(each) for each in used]}
        if wanted:
            content["since"] = wanted.name
            content["models"] = [
                {
                    "model": path,
                    "loads": not any(each.refused for each in mine),
                    "offenders": [asdict(each) for each in mine],
                }
                for path, mine in found.items()
            ]
        terminal.print_json(content)
    elif wanted:
        for path, mine in found.items():
            _tell(path, mine, wanted.name, nodes=nodes)
    elif not header:
        _list(used)
    return 1 if any(found.values()) else 0


def _check(wanted: Release, path: str, graph: Graph) -> list[Incompatibility]:
    try:
        return incompatibilities(graph, wanted)
    except PbslimError as error:
        raise type(error)(f"'{path}': {error}") from None


def write_header(graphs: Sequence[Graph], header: Path, default_ops: str, kernels: str) -> None:
    """Write the header to the file, or to stdout for ``-``, with a remark for each op that has no kernel."""
    text, unknown = selective_registration_header(graphs, default_ops=default_ops, release=kernels, author="pbslim")
    for op in unknown:
        terminal.note(f"no kernel found for op {op}: TensorFlow {kernels} computes no such node on the CPU")
    if str(header) == "-":
        terminal.print_lines(text.splitlines())
        return
    with replacing(header) as out:
        out.write(text.encode())


def _list(used: Sequence[OpUse]) -> None:
    rows = [(each.op, str(each.nodes), ", ".join(each.types), each.since or "no TensorFlow") for each in used]
    terminal.stdout().print(terminal.table(["op", "nodes", "types", "since"], rows, right=(1,)))


def _tell(path: str, found: Sequence[Incompatibility], name: str, *, nodes: bool) -> None:
    console = terminal.stdout()
    if not found:
        console.print(f"{path}: TensorFlow {name} accepts all of it", markup=False)
        return
    verdict = "refuses it" if any(each.refused for each in found) else "loads it, but"
    console.print(f"{path}: TensorFlow {name} {verdict}", markup=False)
    groups: dict[tuple[str, str], list[Incompatibility]] = {}
    for each in found:
        groups.setdefault((each.problem, each.fix), []).append(each)
    for (problem, fix), members in groups.items():
        names = [f"{each.function}/{each.node}" if each.function else each.node for each in members]
        shown = names if nodes else names[:_SHOWN]
        more = f" and {len(names) - len(shown)} more" if len(names) > len(shown) else ""
        where = f" ({', '.join(shown)}{more})" if any(shown) else ""
        console.print(f"  {problem}{where}", markup=False)
        if fix:
            console.print(f"    → {fix}", markup=False)
