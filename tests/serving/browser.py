"""A real browser without a window, and pages that must not fail."""

import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
    "--use-fake-ui-for-media-stream",
)

SECONDS = 15


@contextmanager
def chromium() -> Iterator[Any]:
    """Skips the test where there is no browser or nothing to drive it."""
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright: pip install playwright")
    path = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if path is None:
        pytest.skip("needs a chromium")
    with playwright.sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=path, args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, url: str, *, path: str = "/", **options: Any) -> Iterator[Any]:
    """A page of its own; no script may fail and nothing may come from another machine."""
    context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}, **options})
    page = context.new_page()
    page.set_default_timeout(1000 * SECONDS)
    errors: list[str] = []
    asked: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
    page.on("request", lambda request: asked.append(request.url))
    page.goto(url + path)
    yield page
    assert errors == [], "\n".join(errors)
    own = (url, "data:", "blob:")
    assert [one for one in asked if not one.startswith(own)] == []
    context.close()


def until(page: Any, expression: str) -> None:
    """Wait for it to be true. The page forbids what playwright's own function does."""
    end = time.monotonic() + SECONDS
    while not page.evaluate(expression):
        assert time.monotonic() < end, f"{expression} is still false"
        page.wait_for_timeout(20)
