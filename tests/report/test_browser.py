"""The page of a report in a real browser: by eye, by keyboard, by screen reader, on a phone, in the dark."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

sync_api = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe is not installed")
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
QUIET = """
    --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update
    --disable-sync
"""
PHONE, DESKTOP = {"width": 360, "height": 740}, {"width": 1200, "height": 900}


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    if CHROMIUM is None:
        pytest.skip("Chromium is not installed")
    with sync_api.sync_playwright() as playwright:
        found = playwright.chromium.launch(executable_path=CHROMIUM, args=QUIET.split())
        yield found
        found.close()


@pytest.fixture
def said() -> list[str]:
    """What the browser complains of, and what it loads."""
    return []


@pytest.fixture(params=[(DESKTOP, "light"), (DESKTOP, "dark"), (PHONE, "dark")], ids=["light", "dark", "phone"])
def page(browser: Any, reports: Path, said: list[str], request: pytest.FixtureRequest) -> Iterator[Any]:
    size, scheme = request.param
    context = browser.new_context(viewport=size, color_scheme=scheme)
    found = context.new_page()
    found.on("console", lambda message: said.append(message.text))
    found.on("pageerror", lambda error: said.append(str(error)))
    found.on("request", lambda asked: said.append(asked.url) if asked.url.startswith("http") else None)
    found.goto((reports / "report.html").as_uri())
    yield found
    context.close()


@pytest.mark.slow
def test_the_page_is_whole_and_anybody_can_use_it(page: Any, said: list[str]) -> None:
    assert said == []
    for chart in page.locator("svg[role=img]").all():
        assert chart.locator("path").count() > 2
        box = chart.bounding_box()
        assert box["width"] > 200
        assert box["height"] > 100
    assert page.evaluate("document.documentElement.scrollWidth <= window.innerWidth")  # nothing is cut off
    page.locator("summary").first.click()
    # Labels, contrast of at least 4.5, landmarks, headings, regions that scroll: whatever axe knows.
    found = axe.Axe().run(page)
    assert found.violations_count == 0, found.generate_report()


@pytest.mark.slow
def test_each_section_is_reached_by_keyboard(page: Any) -> None:
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Skip to the figures"
    sections = [each.get_attribute("aria-labelledby") for each in page.locator("section").all()]
    assert len(sections) == 9
    for section in sections:
        page.keyboard.press("Tab")
        assert page.evaluate("document.activeElement.getAttribute('href')") == f"#{section}"
        page.keyboard.press("Enter")
        assert page.evaluate("location.hash") == f"#{section}"
        top = page.locator(f"#{section}").bounding_box()["y"]
        end = page.evaluate("scrollY + innerHeight >= document.documentElement.scrollHeight - 1")
        assert 0 <= top < 60 or end
        # Following a link moves the place from which Tab goes on; come back to the list of sections.
        page.locator(f"nav a[href='#{section}']").focus()
