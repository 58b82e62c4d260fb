"""Models as TensorFlow saved them, with what it makes of them: some of them here, all where they are at hand."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import pbslim
from tests.shared import ROOT, SHARED

HERE = ROOT / "tests" / "data" / "models"
_EVERYWHERE = (HERE, SHARED / "golden_saved_model")
_FOLDERS = {file.parent.name: file.parent for root in _EVERYWHERE for file in sorted(root.glob("*/case.json"))}
Arrays = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True)
class Case:
    """One way to freeze a model, and what comes out then.

    Attributes:
        facts: what ``case.json`` says of it.
        options: for `pbslim.freeze`.
    """

    name: str
    folder: Path
    path: Path
    facts: dict[str, Any]
    options: dict[str, Any]

    def __str__(self) -> str:
        return self.name

    def frozen(self) -> pbslim.Frozen:
        """The model, frozen by pbslim."""
        return pbslim.freeze(self.path, **self.options)

    def arrays(self, what: str) -> Arrays:
        """The feeds, or the expected results, by key."""
        with np.load(self.folder / self.facts[what]) as file:
            return dict(file)

    def names(self, found: pbslim.Frozen, what: str) -> dict[str, str]:
        """Key → tensor of the frozen graph; a checkpoint has no keys, so the reference's names are taken."""
        said = found.signature.inputs if what == "inputs" else found.signature.outputs
        own = {key: name.removesuffix(":0") for key, name in self.facts.get(f"frozen_{what}", {}).items()}
        return dict(said) if self.options.get("signature") else own


def _cases() -> Iterator[Case]:
    for name, folder in _FOLDERS.items():
        facts = json.loads((folder / "case.json").read_text())
        if facts["kind"] == "checkpoint":
            asked: dict[str, Any] = {"outputs": facts["outputs"]}
            if "meta" in facts:
                yield Case(f"{name}-meta", folder, folder / facts["meta"], facts["freeze"], asked)
            if "graph" in facts:
                asked |= {"checkpoint": folder / facts["checkpoint"]}
                yield Case(f"{name}-graph", folder, folder / facts["graph"], facts["freeze"], asked)
        else:
            for signature, block in facts.get("signatures", {}).items():
                asked = {"tags": facts["tags"], "signature": signature}
                yield Case(f"{name}-{signature}", folder, folder / facts["path"], block, asked)


CASES = list(_cases())


def damaged() -> list[tuple[Path, str]]:
    """The folders of damaged models, and what is wrong with each."""
    found = []
    for folder in _FOLDERS.values():
        facts = json.loads((folder / "case.json").read_text())
        if facts.get("must_fail"):
            found.append((folder / facts["path"], facts["error"]))
    return found


def differences(found: Arrays, expected: Arrays) -> list[str]:
    """The keys at which results are not as expected."""
    return [key for key, value in expected.items() if not _is_same(found[key], value)]


def _is_same(found: npt.NDArray[Any], expected: npt.NDArray[Any]) -> bool:
    if expected.dtype.kind == "S":  # numpy drops zero bytes at the end
        return [text.rstrip(b"\0") for text in found.reshape(-1).tolist()] == expected.reshape(-1).tolist()
    plain = found.astype(expected.dtype)
    return plain.shape == expected.shape and np.allclose(plain, expected, rtol=1e-5, atol=1e-6)
