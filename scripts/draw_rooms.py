"""Draw the rooms of ``src/pbslim`` and who imports whom, from the imports, into CONTRIBUTING.md.

Usage:
    python scripts/draw_rooms.py

A room is a package or a module at the top. An arrow that follows from two others is left out, and so are the modules at
the very bottom, which all may import. A test checks that the picture is current.
"""

from __future__ import annotations

import ast
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "src" / "pbslim"
BOTTOM = frozenset({"errors", "dtypes", "names", "cores", "kept", "lazy", "_version"})
BEGIN, END = "<!-- rooms: made by scripts/draw_rooms.py -->\n", "<!-- end of rooms -->\n"


def rooms() -> dict[str, list[Path]]:
    """Each room → its modules."""
    found = {path.stem: [path] for path in sorted(PACKAGE.glob("[!_]*.py"))}
    return found | {
        path.parent.name: sorted(path.parent.rglob("*.py")) for path in sorted(PACKAGE.glob("*/__init__.py"))
    }


def imports(text: str) -> set[str]:
    """The rooms that a module imports anything from."""
    found = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "pbslim":
            parts = node.module.split(".")
            found |= {parts[1]} if len(parts) > 1 else {alias.name for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name.split(".")[1] for alias in node.names if alias.name.startswith("pbslim.")}
    return found


def arrows() -> dict[str, set[str]]:
    """Each room → the rooms that it imports."""
    return {
        room: set().union(*(imports(file.read_text()) for file in files)) - {room} for room, files in rooms().items()
    }


def _reachable(room: str, straight: dict[str, set[str]]) -> set[str]:
    found: set[str] = set()
    todo = [room]
    while todo:
        todo += straight[todo.pop()] - found
        found.update(todo)
    return found


def picture() -> str:
    """The rooms and the arrows that do not follow from others, as a Mermaid flowchart."""
    straight = {room: others - BOTTOM for room, others in arrows().items() if room not in BOTTOM}
    lines = [
        f"    {room} --> {other}"
        for room in sorted(straight)
        for other in sorted(straight[room])
        if not any(other in _reachable(between, straight) for between in straight[room] - {other})
    ]
    return "\n".join(["```mermaid", "flowchart TD", *lines, "```", ""])


def drawn(text: str) -> str:
    """`text` of CONTRIBUTING.md with the picture as it is now."""
    before, _, rest = text.partition(BEGIN)
    return before + BEGIN + picture() + END + rest.partition(END)[2]


if __name__ == "__main__":
    page = ROOT / "CONTRIBUTING.md"
    page.write_text(drawn(page.read_text()))
