"""Sessions in environments of their own: ``nox -l`` lists them, ``nox -s NAME`` runs one."""

from __future__ import annotations

import shutil
from pathlib import Path

import nox

nox.options.sessions = ["lint", "tests", "minimal"]
nox.options.reuse_existing_virtualenvs = True
PYTHONS = ["3.10", "3.11", "3.12", "3.13"]


@nox.session(python="3.11")
def lint(session: nox.Session) -> None:
    """The linters of .ci/run."""
    session.install("-e", ".[test]")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("mypy")


@nox.session(python=PYTHONS)
def tests(session: nox.Session) -> None:
    """All tests; arguments after ``--`` go to pytest."""
    session.install("-e", ".[test,tensorflow]")
    session.run("pytest", *session.posargs)


@nox.session(python=PYTHONS)
def minimal(session: nox.Session) -> None:
    """The tests that need nothing but what pbslim itself needs: no TensorFlow, OpenCV, Pillow or Graphviz."""
    session.install("-e", ".", "pytest>=8,<10", "hypothesis>=6.100,<7")
    session.run("pytest", "-m", "not tensorflow and (slow or not slow)", *session.posargs)


@nox.session(python=PYTHONS)
def archives(session: nox.Session) -> None:
    """The wheel and the source archive: each installs into a clean environment and shrinks the example there."""
    model, folder = Path("examples/digits.pb").resolve(), Path(session.create_tmp()) / "archives"
    shutil.rmtree(folder, ignore_errors=True)
    session.install("hatchling>=1.24")
    session.run("python", "-m", "hatchling", "build", "-d", str(folder))
    session.run("pip", "uninstall", "--yes", "hatchling")
    for archive in sorted(folder.iterdir()):
        session.install("--force-reinstall", str(archive))
        session.run("pbslim", "shrink", str(model), "-o", str(folder / "small.pb"))


@nox.session(python="3.11")
def random(session: nox.Session) -> None:
    """The tests of random and damaged graphs, ten times as often as .ci/run repeats them."""
    session.install("-e", ".[test,tensorflow]")
    files = ["tests/property", "tests/corpus", "tests/kernels/test_refusals.py", "tests/ops/test_shape_inference.py"]
    session.run("pytest", *files, *session.posargs, env={"PBSLIM_REPEAT": "10"})


@nox.session(python="3.11")
def coverage(session: nox.Session) -> None:
    """Which lines no quick test runs: slow tests, and programs that tests start, are not measured."""
    session.install("-e", ".[test,tensorflow]")
    session.run("pytest", "--cov", "--cov-report=term-missing:skip-covered", *session.posargs)


@nox.session(python="3.11")
def docs(session: nox.Session) -> None:
    """The site of the documentation, in site/; with ``-- serve`` in a browser."""
    session.install("-e", ".[docs]")
    session.run("mkdocs", *(session.posargs or ["build", "--strict"]))
