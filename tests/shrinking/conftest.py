"""These tests run graphs in their own process, see `tests.here`, and without TensorFlow."""

from __future__ import annotations

import pytest

from pbslim.shrinking import measuring
from tests.here import apart as apart
from tests.here import in_this_process as in_this_process


@pytest.fixture(autouse=True)
def quickly_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Starting TensorFlow takes longer than all else here."""
    monkeypatch.setattr(measuring, "ENGINES", ("builtin",))
