"""Node for node against outputs recorded from TensorFlow 1.15.5.

A case that differs must stand in docs/differences.md; one that stands there and passes is an error too.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tests.golden.adapter import run_case
from tests.shared import SHARED, documented, needs_shared

GOLDEN = SHARED / "golden"


def _checker() -> ModuleType:
    spec = importlib.util.spec_from_file_location("golden_check", GOLDEN / "check.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["golden_check"] = module
    spec.loader.exec_module(module)
    return module


@pytest.mark.tensorflow
@needs_shared
def test_every_golden_case_passes_or_is_documented(tmp_path: Path) -> None:
    pytest.importorskip("tensorflow")  # for its GraphDef messages
    checker = _checker()
    checker.graph_class("tensorflow.core.framework")
    failed, count = {}, 0
    for name, folder, case in checker.find_cases(str(GOLDEN), None):
        count += 1
        out = tmp_path / name.replace("/", "_")
        produce = lambda: checker.produce_by_function(run_case, case, f"{folder}/in.pb", str(out), 120)  # noqa: B023, E731
        difference, _ = checker.judge(case, folder, produce, str(out), numeric=False)
        if difference:
            failed[name] = difference
    assert count >= 300
    assert set(failed) == documented() - documented("memmapped/"), failed
