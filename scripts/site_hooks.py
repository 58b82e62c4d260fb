"""Let the pages at the root of the repository be pages of the site, with links that fit both places.

MkDocs calls these functions (see ``mkdocs.yml``). The README is the home page; in the repository it links to
``docs/verify.md``, on the site that is ``verify.md``. The other way about, ``../CHANGELOG.md`` is ``CHANGELOG.md``.
"""

from __future__ import annotations

import re
from pathlib import Path

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page

ROOT = Path(__file__).parent.parent
PAGES = ("README.md", "README.zh.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
_DOWN = re.compile(r"\]\(docs/")
_UP = re.compile(rf"\]\(\.\./((?:\.\./)*(?:{'|'.join(map(re.escape, PAGES))})[)#])")


def on_files(files: Files, *, config: MkDocsConfig) -> Files:
    """Add the pages of the root."""
    for name in PAGES:
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    return files


def on_page_markdown(markdown: str, *, page: Page, config: MkDocsConfig, files: Files) -> str:  # noqa: ARG001
    """Make the links between the root and ``docs/`` those of the site."""
    return _DOWN.sub("](", markdown) if page.file.src_uri in PAGES else _UP.sub(r"](\1", markdown)
