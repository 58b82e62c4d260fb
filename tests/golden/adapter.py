"""The golden cases' way into pbslim: ``check.py --python-api tests.golden.adapter:run_case``."""

from __future__ import annotations

from typing import Any

from pbslim import api


def run_case(case: dict[str, Any], in_path: str, out_path: str) -> None:
    """Do for one case what the command line of its tool does."""
    TOOLS[case["tool"]](case, in_path, out_path)


def _transform_graph(case: dict[str, Any], in_path: str, out_path: str) -> None:
    graph = api.load(in_path)
    api.transform(graph, " ".join(case["transforms"]), case["inputs"], case["outputs"])
    api.save(graph, out_path)


TOOLS = {"transform_graph": _transform_graph}
"""Name of each tool that exists here → how a case of it is run."""
