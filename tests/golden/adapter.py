"""The golden cases' way into pbslim: ``check.py --python-api tests.golden.adapter:transform_case``."""

from __future__ import annotations

from typing import Any

from pbslim import api


def transform_case(case: dict[str, Any], in_path: str, out_path: str) -> None:
    """Do for one case what the command line does."""
    graph = api.load(in_path)
    api.transform(graph, " ".join(case["transforms"]), case["inputs"], case["outputs"])
    api.save(graph, out_path)
