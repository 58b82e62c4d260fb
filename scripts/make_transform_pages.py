"""Make docs/transforms/: a page for each transform, from its docstrings, its signature and its known differences.

Usage:
    python scripts/make_transform_pages.py [FOLDER]

A test compares the pages in the repository with what this writes.
"""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path

from pbslim.passes import registry
from pbslim.passes.registry import Transform

DOCS = Path(__file__).parent.parent / "docs"
EFFECTS = {
    "exact": "exact: every output keeps its value",
    "reassociates": "reassociates: outputs move by float rounding alone",
    "lossy": "lossy: outputs move by design",
    "annotates": "annotates: what is computed stays, what is said about it changes",
}
_HEADINGS = {"Args:": "Parameters", "Raises:": "Errors"}
_ENTRY = re.compile(r"    (\w[\w, ]*): (.*)")


def pages() -> dict[str, str]:
    """File name → content."""
    found = [registry.find(name) for name in registry.names()]
    differences = _differences()
    rows = "".join(f"| [`{t.name}`]({t.name}.md) | {t.effect} | {_summary(t)} |\n" for t in found)
    index = f"# Transforms\n\n| transform | effect | what it does |\n| --- | --- | --- |\n{rows}"
    return {"README.md": index} | {f"{t.name}.md": _page(t, differences.get(t.name, [])) for t in found}


def _summary(transform: Transform) -> str:
    return transform.manual.strip().splitlines()[0]


def _page(transform: Transform, differences: list[str]) -> str:
    summary, _, rest = transform.manual.strip().partition("\n\n")
    picture, _, remarks = rest.partition("\n\n")
    parameters = "".join(f"\n    {p.describe()}," for p in transform.parameters.values())
    signature = f"{transform.name}({parameters}\n)" if parameters else transform.name
    parts = [
        f"# {transform.name}",
        summary,
        f"```text\n{picture}\n```",
        remarks.strip(),
        f"```text\n{signature}\n```",
        f"Effect: {EFFECTS[transform.effect]}.",
        *_sections(inspect.getdoc(transform.function) or ""),
    ]
    if differences:
        parts += ["## Where it differs from the reference tool", "\n".join(differences)]
    return "\n\n".join(part for part in parts if part) + "\n"


def _sections(text: str) -> list[str]:
    """The paragraphs of a docstring, its sections under headings and as lists."""
    found: list[str] = []
    for block in re.split(r"\n\n", text):
        heading, _, body = block.partition("\n")
        if heading in _HEADINGS:
            found.append(f"## {_HEADINGS[heading]}")
            found.append(_list(body))
        elif block.startswith("    "):  # more of the section before
            found[-1] += "\n" + _list(block)
        else:
            found.append(block)
    return found


def _list(body: str) -> str:
    entries: list[str] = []
    for line in body.splitlines():
        entry = _ENTRY.fullmatch(line)
        if entry:
            names = ", ".join(f"`{name.strip()}`" for name in entry[1].split(","))
            entries.append(f"- {names}: {entry[2]}")
        else:
            entries.append(f"  {line.strip()}")
    return "\n".join(entries)


def _differences() -> dict[str, list[str]]:
    """Transform → a list item for each row of the table of single transforms."""
    table = (DOCS / "differences" / "transform_graph.md").read_text().partition("## Single transforms")[2]
    found: dict[str, list[str]] = {}
    names: list[str] = []
    for row in table.splitlines():
        cells = [cell.strip() for cell in row.strip("|").split(" | ")]
        if len(cells) != 4 or cells[0] == "transform":
            continue
        who, what, reference, ours = cells
        names = re.findall(r"`(\w+)`", who) or names
        for name in names:
            found.setdefault(name, []).append(f"- {what}: the reference: {reference}; here: {ours}")
    return found


def main(folder: Path) -> None:
    """Write the pages into `folder`, and remove those of transforms that are gone."""
    folder.mkdir(exist_ok=True)
    wanted = pages()
    for old in folder.glob("*.md"):
        if old.name not in wanted:
            old.unlink()
    for name, text in wanted.items():
        (folder / name).write_text(text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS / "transforms")
