"""One report, made once."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import commands
from tests.cli.test_commands import DIGITS


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``report.html``, ``.md`` and ``.json`` on the digits of the examples, and their ``small.pb``."""
    folder = tmp_path_factory.mktemp("report")
    names = [str(folder / f"report.{kind}") for kind in ("html", "md", "json")]
    wanted = [option for name in names for option in ("--report", name)]
    evaluation = DIGITS.with_name("digits_eval.npz")
    done = commands.run(
        "shrink", DIGITS, "-o", folder / "small.pb", "--recipe=eight-bit-legacy", "--eval", evaluation, *wanted
    )
    assert done.code == 0, done.err
    return folder
