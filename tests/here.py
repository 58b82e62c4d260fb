"""Graphs run in the process of the tests, where these ask what is made of results and not where they come from.

A ``conftest.py`` that imports the fixture `in_this_process` has it for all tests of its folder but those that ask for
the fixture `apart`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from pathlib import Path

import pytest

from pbslim.engines import Array, Feeds, Program
from pbslim.engines import engine as find_engine
from pbslim.engines.tensorflow import TensorFlowProgram
from pbslim.verification import benchmark, running


class Here:
    """What `ProgramApart` is, with the engine in this process, which saves starting three others for each test."""

    memory, seconds, is_alive = None, 0.0, True

    def __init__(self, engine: str, path: Path, *, folding: bool = False, **_: object) -> None:
        self._engine, self._folding = find_engine(engine), folding
        self._found: deque[list[Array]] = deque()
        self.load(path)

    def load(self, path: Path, _label: str = "") -> None:
        self._program: Program = (
            TensorFlowProgram(path, folding=self._folding)
            if self._engine.name == "tensorflow"
            else self._engine.load(path)
        )

    def forget(self) -> None:
        self._program.close()

    def wait(self) -> None:
        pass

    def run(self, feeds: Feeds, fetches: Sequence[str]) -> list[Array]:
        return self._program.run(feeds, fetches)

    def start(self, feeds: Feeds, fetches: Sequence[str]) -> None:
        self._found.append(self.run(feeds, fetches))

    def result(self) -> list[Array]:
        return self._found.popleft()

    def close(self) -> None:
        self._program.close()

    def __enter__(self) -> Here:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@pytest.fixture
def apart() -> None:
    """Run graphs in processes of their own after all, as users do."""


@pytest.fixture(autouse=True)
def in_this_process(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if "apart" not in request.fixturenames:
        for module in (benchmark, running):
            monkeypatch.setattr(module, "ProgramApart", Here)
