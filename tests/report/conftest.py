"""One report, made once."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests import commands
from tests.cli.test_commands import DIGITS
from tests.here import apart as apart
from tests.here import in_this_process as in_this_process


@pytest.fixture(scope="session")
def reports(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``report.html``, ``.md`` and ``.json`` on the digits of the examples, and their ``small.pb``.

    Its inputs lie in a folder whose name is longer than a phone is wide.
    """
    folder = tmp_path_factory.mktemp("report")
    inputs = tmp_path_factory.mktemp("a_folder_whose_long_name_has_no_place_where_a_line_could_break")
    names = [str(folder / f"report.{kind}") for kind in ("html", "md", "json")]
    wanted = [option for name in names for option in ("--report", name)]
    evaluation = inputs / "digits_eval.npz"
    shutil.copy(DIGITS.with_name(evaluation.name), evaluation)
    done = commands.run(
        "shrink", DIGITS, "-o", folder / "small.pb", "--recipe=eight-bit-legacy", "--eval", evaluation, *wanted
    )
    assert done.code == 0, done.err
    return folder
