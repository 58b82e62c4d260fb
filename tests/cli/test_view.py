"""``pbslim view``, with something in the place of Netron."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import ModuleType

import pytest

import pbslim
from tests import commands
from tests.cli.test_commands import DIGITS


class Netron(ModuleType):
    """What Netron's package offers."""

    def __init__(self) -> None:
        super().__init__("netron")
        self.waited = False

    def start(self, file: str, address: int, *, browse: bool) -> tuple[str, int]:
        self.shown, self.name, self.browse = len(pbslim.load(file)), Path(file).name, browse
        print("Serving")  # noqa: T201
        return "localhost", address

    def wait(self) -> None:
        self.waited = True


@pytest.fixture
def netron(monkeypatch: pytest.MonkeyPatch) -> Netron:
    made = Netron()
    monkeypatch.setitem(sys.modules, "netron", made)
    return made


def test_a_model_is_shown_until_nobody_looks(netron: Netron) -> None:
    done = commands.run("view", DIGITS, "--port", 8123)
    assert (done.code, done.err) == (0, "Serving\n")
    assert done.out == f"{DIGITS} is shown at http://localhost:8123; Ctrl-C ends it\n"
    assert (netron.shown, netron.name, netron.browse, netron.waited) == (84, "digits.pb", True, True)


def test_what_netron_cannot_read_is_made_plain_first(netron: Netron, tmp_path: Path) -> None:
    package = tmp_path / "small.mmap"
    pbslim.convert_graphdef_memmapped_format(DIGITS, package)
    done = commands.run("view", package, "--no-browser", "--json")
    assert json.loads(done.out) == {"url": "http://localhost:8081", "nodes": 84}
    assert (netron.name, netron.shown, netron.browse) == ("small.pb", 84, False)


def test_without_netron_one_line_says_how(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "netron", None)
    done = commands.run("view", DIGITS)
    assert done.refused
    assert "pip install 'pbslim[view]'" in done.err
    assert "graph_to_dot" in done.err
