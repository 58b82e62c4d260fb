"""The large collections of models and cases, where they are at hand; the tests that need them skip elsewhere."""

from __future__ import annotations

import json
import re
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

ROOT = Path(__file__).parents[1]
SHARED = ROOT.parent / "shared"
# The mask of this model is steep: in double precision TensorFlow's own values are 4.1e-4 of the largest from the
# truth, so any other order of the same sums, as another processor has it, moves single pixels by as much.
STEEP = {("blazepose_lite", "Identity_1"): 8e-4}
needs_shared = pytest.mark.skipif(not SHARED.exists(), reason="the shared models and golden cases are not here")


def script(name: str) -> Any:
    """The module ``scripts/NAME.py``."""
    spec = spec_from_file_location(name, ROOT / "scripts" / f"{name}.py")
    assert spec
    assert spec.loader
    found = module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


def models() -> list[Path]:
    """The folders of the runnable models."""
    return [f for f in sorted((SHARED / "models").glob("*")) if (f / "meta.json").exists() and meta(f)["runnable"]]


def documented(group: str = "") -> set[str]:
    """The golden cases of which ``docs/differences.md`` says that something else comes out here."""
    text = (ROOT / "docs" / "differences.md").read_text()
    return {name for name in re.findall(r"`golden:([\w/-]+)`", text) if name.startswith(group)}


def meta(folder: Path) -> dict[str, Any]:
    """What is known about a model."""
    content: dict[str, Any] = json.loads((folder / "meta.json").read_text())
    return content


def examples(folder: Path) -> tuple[dict[str, npt.NDArray[np.float32]], str]:
    """Feeds of 100 examples for a model with an accuracy, and the name of its prediction."""
    facts = meta(folder)["eval"]
    with np.load(folder / "eval.npz") as file:
        images = file[facts["input"] if facts["input"] in file else "x"][:100].astype(np.float32)
    return {facts["input"]: images / np.float32(255 if facts["transform"] else 1)}, facts["prediction"]
