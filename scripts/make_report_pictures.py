"""Take the pictures of a report in docs/images: ``python scripts/make_report_pictures.py REPORT.html``.

Needs Chromium, and ``pip install '.[browser,images]'``.
"""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

FOLDER = Path(__file__).parents[1] / "docs" / "images"
COLORS = 96
SCREENS = {"desktop": (1000, 900, ""), "phone": (390, 726, "weights")}
"""Name → width, height, and the section to scroll to."""


def main(report: Path) -> None:
    """Write a picture of each screen."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        for name, (width, height, section) in SCREENS.items():
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme="dark")
            page.goto(f"{report.resolve().as_uri()}#{section}")
            picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB").quantize(COLORS)
            picture.save(FOLDER / f"report-{name}.png", optimize=True)
        browser.close()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
