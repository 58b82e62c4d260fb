"""The golden cases' way into pbslim: ``check.py --python-api tests.golden.adapter:run_case``."""

from __future__ import annotations

from typing import Any

import pbslim
from pbslim.cli import commands


def run_case(case: dict[str, Any], in_path: str, out_path: str) -> None:
    """Do for one case what the command line of its tool does."""
    TOOLS[case["tool"]](case, in_path, out_path)


def _transform_graph(case: dict[str, Any], in_path: str, out_path: str) -> None:
    graph = pbslim.load(in_path)
    pbslim.transform(graph, " ".join(case["transforms"]), case["inputs"], case["outputs"])
    pbslim.save(graph, out_path)


def _command(case: dict[str, Any], **files: str) -> None:
    _run_command(case, output_node_names=",".join(case["outputs"]), **files)


def _run_command(case: dict[str, Any], **flags: str) -> None:
    flags |= case["flags"]
    command = commands.pbslim.commands[case["tool"]]
    command.main([f"--{key}={value}" for key, value in flags.items()], standalone_mode=False)


def _quantize_graph(case: dict[str, Any], in_path: str, out_path: str) -> None:
    _command(case, input=in_path, output=out_path)


def _strip_unused(case: dict[str, Any], in_path: str, out_path: str) -> None:
    _command(case, input_graph=in_path, output_graph=out_path, input_node_names=",".join(case["inputs"]))


def _optimize_for_inference(case: dict[str, Any], in_path: str, out_path: str) -> None:
    flags = {"input_names": ",".join(case["inputs"]), "output_names": ",".join(case["outputs"])}
    _run_command(case, input=in_path, output=out_path, **flags)


TOOLS = {
    "optimize_for_inference": _optimize_for_inference,
    "quantize_graph": _quantize_graph,
    "strip_unused": _strip_unused,
    "transform_graph": _transform_graph,
}
"""Name of each tool that exists here → how a case of it is run."""
