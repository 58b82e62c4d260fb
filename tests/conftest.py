"""What all tests have in common."""

from __future__ import annotations

import gc
import os
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import find_spec
from types import ModuleType

import pytest

# TensorFlow chooses its kernels by the processor, and their results differ in the last digits.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "0")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
# As the command line has it. Where tests run side by side, threads that wait for each other take most of the time.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


class _NoTensorFlow(MetaPathFinder, Loader):
    """Lets code see that TensorFlow is installed, but not import it."""

    def find_spec(
        self,
        fullname: str,
        path: Sequence[str] | None,  # noqa: ARG002
        target: ModuleType | None = None,  # noqa: ARG002
    ) -> ModuleSpec | None:
        installed = fullname == "tensorflow" and PathFinder.find_spec(fullname)
        return ModuleSpec(fullname, self) if installed else None

    def exec_module(self, module: ModuleType) -> None:  # noqa: ARG002
        if "PYTEST_CURRENT_TEST" not in os.environ:
            pytest.skip("all of it needs TensorFlow", allow_module_level=True)
        raise RuntimeError("a test that needs TensorFlow must be marked: @pytest.mark.tensorflow")


def pytest_configure(config: pytest.Config) -> None:
    if hasattr(config, "workerinput") and config.pluginmanager.hasplugin("_cov"):
        from coverage import Coverage

        # pytest-cov starts twice in a worker, and the first one would measure where `no_cover` pauses the second.
        if first := Coverage.current():
            first.stop()
    if config.option.markexpr.startswith("not tensorflow"):
        sys.meta_path.insert(0, _NoTensorFlow())
    if config.option.markexpr == "not tensorflow":  # the quick slice that CONTRIBUTING.md recommends
        config.option.markexpr += " and not slow"


def pytest_collection_finish() -> None:
    """Leave modules and tests out of garbage collections.

    Searches ask for a collection at each step, and going through all that takes longer than the step itself.
    """
    gc.collect()
    gc.freeze()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    has_tensorflow, has_coverage = find_spec("tensorflow") is not None, config.pluginmanager.hasplugin("_cov")
    for item in items:
        needs_tensorflow = item.get_closest_marker("tensorflow") is not None
        if needs_tensorflow and not has_tensorflow:
            item.add_marker(pytest.mark.skip(reason="TensorFlow is not installed"))
        # Coverage doubles the time of a test, so the quick ones alone are measured.
        if has_coverage and (needs_tensorflow or item.get_closest_marker("slow")):
            item.add_marker("no_cover")
