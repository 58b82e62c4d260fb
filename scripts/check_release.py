"""Check what a release promises beyond its tests; run it in an environment with the ``test`` extra, as .ci/run does.

- The wheel and the source archive come out byte for byte the same from the repository and from the source archive.
- Both hold ``py.typed`` and the tables of public names.
- What ``pip install pbslim`` installs beside numpy is small.
- ``import pbslim`` takes no time that anybody would notice.

Usage:
    python scripts/check_release.py
"""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import zipfile
from importlib import metadata
from pathlib import Path

from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
MEGABYTE = 10**6
INSTALLED_MB = 75  # without bytecode; numpy 2.0 alone takes 70, today's 57
BESIDE_NUMPY_MB = 15
IMPORT_SECONDS = 0.15
IN_WHEEL = {
    "pbslim/__init__.pyi",
    "pbslim/py.typed",
    "pbslim/report/report.schema.json",
    "pbslim/report/templates/report.html.j2",
    "pbslim/transforms/__init__.pyi",
}


def built(tree: Path, out: Path) -> dict[str, str]:
    """The SHA-256 of the wheel and of the source archive of `tree`, by file name; they are written to `out`."""
    subprocess.run([sys.executable, "-m", "hatchling", "build", "-d", out], cwd=tree, check=True, capture_output=True)
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in sorted(out.iterdir())}


def check_builds(folder: Path) -> None:
    """Build from the repository, and once more from the source archive, elsewhere and with other times of files."""
    first = built(ROOT, folder / "first")
    (archive,) = (folder / "first").glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder / "tree", filter="data")
    (tree,) = (folder / "tree").iterdir()
    for path in tree.rglob("*"):
        os.utime(path)
    if built(tree, folder / "second") != first:
        raise SystemExit(f"not reproducible: {folder}/first and {folder}/second differ")
    (wheel,) = (folder / "first").glob("*.whl")
    missing = IN_WHEEL.difference(zipfile.ZipFile(wheel).namelist())
    if missing:
        raise SystemExit(f"{wheel.name} lacks {', '.join(sorted(missing))}")
    for name, digest in first.items():
        print(f"{name}: sha256 {digest}, built twice")


def installed() -> dict[str, int]:
    """Each package of the base install → the bytes of its files, without compiled bytecode."""
    found: dict[str, int] = {}
    names = ["pbslim"]
    while names:
        name = names.pop()
        if name in found:
            continue
        distribution = metadata.distribution(name)
        files = [Path(str(file.locate())) for file in distribution.files or [] if file.suffix != ".pyc"]
        if name == "pbslim":  # whose files are elsewhere where it is installed to be edited
            files = [file for file in (ROOT / "src").rglob("*") if file.is_file() and file.suffix != ".pyc"]
        found[name] = sum(file.stat().st_size for file in files if file.is_file())
        wanted = [Requirement(text) for text in distribution.requires or []]
        names += [each.name for each in wanted if not each.marker or each.marker.evaluate({"extra": ""})]
    return found


def check_size() -> None:
    """The base install, package by package."""
    sizes = installed()
    total, beside = sum(sizes.values()) / MEGABYTE, (sum(sizes.values()) - sizes["numpy"]) / MEGABYTE
    largest = sorted(sizes, key=lambda name: -sizes[name])
    parts = ", ".join(f"{name} {sizes[name] / MEGABYTE:.1f}" for name in largest)
    print(f"base install: {total:.1f} MB, {beside:.1f} MB of it beside numpy ({parts})")
    if total > INSTALLED_MB or beside > BESIDE_NUMPY_MB:
        raise SystemExit(f"more than {INSTALLED_MB} MB, or more than {BESIDE_NUMPY_MB} MB beside numpy")


def check_import() -> None:
    """Fresh processes, the best of several: others may be at work on the machine."""
    code = "import time; start = time.perf_counter(); import pbslim; print(time.perf_counter() - start)"
    best = min(float(subprocess.check_output([sys.executable, "-c", code])) for _ in range(9))
    print(f"import pbslim: {best:.3f} s")
    if best > IMPORT_SECONDS:
        raise SystemExit(f"more than {IMPORT_SECONDS} s")


def main() -> None:
    """All of them, each with a line of what it found."""
    start = time.perf_counter()
    with tempfile.TemporaryDirectory() as folder:
        check_builds(Path(folder))
    check_size()
    check_import()
    print(f"release checked in {time.perf_counter() - start:.1f} s")


if __name__ == "__main__":
    main()
