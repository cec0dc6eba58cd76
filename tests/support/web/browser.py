"""Debian's Chromium, driven by Playwright: pages of the console as people see them."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

CHROMIUM = shutil.which("chromium") or ""
_OPTIONS = (
    "--no-sandbox",  # tests run as root in containers
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",  # Chromium would look up Google's hosts
    "--disable-component-update",
    "--disable-sync",
)

needs_chromium = pytest.mark.skipif(not CHROMIUM, reason="needs Chromium (Debian: chromium)")


@contextmanager
def chromium() -> Iterator[Any]:
    """Yield a browser of Playwright's synchronous API."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=list(_OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Any, address: str, **context: Any) -> Iterator[Any]:
    """Yield a page in a context of its own, which fails the test that loads anything from another host, and at the end
    if a script of the page failed. `context`: options of the context, such as locale, color_scheme and viewport.
    """
    options = {"locale": "en-GB", "viewport": {"width": 1366, "height": 768}, **context}
    made = browser.new_context(base_url=f"http://{address}", **options)
    problems: list[str] = []
    page = made.new_page()
    page.on("pageerror", lambda error: problems.append(f"script: {error}"))
    page.on("console", lambda line: problems.append(f"console: {line.text}") if _is_violation(line) else None)
    page.on(
        "request",
        lambda request: problems.append(f"elsewhere: {request.url}") if _is_elsewhere(request.url, address) else None,
    )
    try:
        yield page
        assert problems == []
    finally:
        made.close()


def sign_in(page: Any, token: str) -> None:
    """Sign in on a page as a person does."""
    page.goto("/console/signin")
    page.get_by_label("token", exact=False).or_(page.get_by_label("令牌", exact=False)).fill(token)
    page.locator("form[action$='/signin'] button.primary").click()
    page.wait_for_url("**/console/")


def _is_violation(line: Any) -> bool:
    return line.type == "error" and "Content Security Policy" in line.text


def _is_elsewhere(url: str, address: str) -> bool:
    return not url.startswith((f"http://{address}/", "data:"))
