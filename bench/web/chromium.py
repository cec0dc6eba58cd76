"""Measures the wall and the review in Debian's Chromium, with Playwright."""

import shutil
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_ARGS = ("--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking", "--disable-sync")
_PICTURES = 200
_LARGE = {"width": 2560, "height": 2200}
_USUAL = {"width": 1366, "height": 768}
_WAIT_S = 60.0
_CAMERAS_PER_S = 400.0
_REVIEWS = 30
_LOOK_S = 1.0
"""Nobody decides on a finding sooner; the console fetches the next one meanwhile."""
_SETTLE_MS = 2000
"""A browser that opens a window loads pages of its own, for about a second of CPU; who clicks has the window open."""
_LOADED = (
    "() => [[...document.querySelectorAll('.tile img')].filter((img) => img.complete && img.naturalWidth).length, "
    "performance.now()]"
)
_SCROLL = """
async ([cameras, perSecond]) => {
  const grid = document.getElementById("wall");
  const size = () => grid.querySelector(".tile").getBoundingClientRect();
  const columns = Math.round(grid.clientWidth / size().width);
  const speed = (perSecond / columns) * size().height / 1000;
  const end = Math.ceil(cameras / columns) * size().height;
  const points = [0, 0.5, 0.99].flatMap((x) => [0.15, 0.5, 0.96].map((y) => [x, y]));
  const hasTile = (x, y) => document.elementsFromPoint(x, y).some((element) => element.closest(".tile"));
  const isBlank = () => points.some(([x, y]) => {
    const box = grid.getBoundingClientRect();
    // In the middle of a column, and at two heights, one of which is not between two lines.
    const left = box.left + (Math.floor(x * columns) + 0.5) * (box.width / columns);
    const top = y * innerHeight;
    return top > box.top + 20 && !hasTile(left, top) && !hasTile(left, top + 15);
  });
  return await new Promise((resolve) => {
    let last = performance.now(), blankSince = 0, blankMax = 0, frameMax = 0, scrolled = 0, frames = 0;
    const began = last;
    const frame = (now) => {
      frames += 1;
      frameMax = Math.max(frameMax, now - last);
      // A place is blank from the last frame before the first that shows nothing there.
      if (isBlank()) blankSince = blankSince || last;
      else blankSince = 0;
      blankMax = Math.max(blankMax, blankSince ? now - blankSince : 0, now - last);
      const before = scrollY;
      scrollBy(0, Math.min(speed * (now - last), innerHeight));
      scrolled += scrollY - before;
      last = now;
      const done = scrolled >= end || now - began > 4000 * cameras / perSecond;
      if (done) resolve({ blankMax, frameMax, frames, seconds: (now - began) / 1000,
        cameras: Math.round((scrolled / size().height) * columns) });
      else requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
}
"""


def measure(address: str, city: str, cameras: int) -> dict[str, Any]:
    """Return the figures of the browser. `city`: of whose cameras, so many, pictures are kept."""
    executable = shutil.which("chromium")
    if not executable:
        raise SystemExit("there is no chromium; install Debian's package")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=list(_ARGS))
        try:
            return {**_wall(browser, address, city, cameras), **_review(browser, address)}
        finally:
            browser.close()


def _wall(browser: Any, address: str, city: str, cameras: int) -> dict[str, Any]:
    wanted = min(_PICTURES, cameras)
    path = f"/console/wall?region={city}&size=small&order="
    with _page(browser, address, _LARGE) as page:
        first_ms = _complete_ms(page, path + "canteen", wanted)
    with _page(browser, address, _LARGE) as page:
        again_ms = _complete_ms(page, path + "canteen", wanted)
    with _page(browser, address, _USUAL) as page:
        _complete_ms(page, path + "worst", 1)
        scrolled = page.evaluate(_SCROLL, [min(10_000, max(1, cameras - 200)), _CAMERAS_PER_S])
        ended_s = time.perf_counter()
        _wait(page, "() => document.getElementById('wall').dataset.missing === '0'")
        pictures_ms = 1e3 * (time.perf_counter() - ended_s)
    return {
        "wall_pictures": wanted,
        "wall_200_ms": round(first_ms),
        "wall_200_again_ms": round(again_ms),
        "scroll_cameras": scrolled["cameras"],
        "scroll_s": round(scrolled["seconds"], 1),
        "scroll_frames_per_s": round(scrolled["frames"] / scrolled["seconds"], 1),
        "scroll_frame_ms_max": round(scrolled["frameMax"]),
        "scroll_blank_ms_max": round(scrolled["blankMax"]),
        "scroll_pictures_ms": round(pictures_ms),
    }


def _review(browser: Any, address: str) -> dict[str, Any]:
    """Step through the review: as somebody does who looks at each finding for a second, and as fast as it goes."""
    looked = _steps(browser, address, _LOOK_S)
    at_once = _steps(browser, address, 0.0)
    return {
        "review_findings": len(looked),
        "review_next_ms_p95": _p95(looked),
        "review_next_at_once_ms_p95": _p95(at_once),
    }


def _steps(browser: Any, address: str, look_s: float) -> list[float]:
    """Return the milliseconds of each step, from the key j to the next finding with its pictures. `look_s`: how long
    each finding is looked at before."""
    times: list[float] = []
    with _page(browser, address, _USUAL) as page:
        reply = page.goto("/console/review")
        place = "() => document.getElementById('review')?.dataset.url ?? ''"
        before = page.evaluate(place) if reply.status == 200 else ""
        for _ in range(_REVIEWS if before and page.locator("[data-key=j]").count() else 0):
            page.wait_for_timeout(1e3 * look_s)
            began_s = time.perf_counter()
            page.keyboard.press("j")
            changed = f"() => ({place})() !== {before!r} && [...document.images].every((img) => img.complete)"
            if not _wait(page, changed):
                break
            times.append(1e3 * (time.perf_counter() - began_s))
            before = page.evaluate(place)
            if not page.locator("[data-key=j]").count():
                break
    return times


def _p95(times: list[float]) -> float | None:
    return round(statistics.quantiles(times, n=20, method="inclusive")[18], 1) if len(times) > 1 else None


def _complete_ms(page: Any, path: str, wanted: int) -> float:
    """Return the milliseconds from the begin of the navigation until so many pictures are there."""
    page.goto(path, wait_until="commit")
    give_up_s = time.monotonic() + _WAIT_S
    while time.monotonic() < give_up_s:
        loaded, now_ms = page.evaluate(_LOADED)
        if loaded >= wanted:
            return float(now_ms)
        time.sleep(0.02)
    return 1e3 * _WAIT_S


def _wait(page: Any, condition: str) -> bool:
    give_up_s = time.monotonic() + _WAIT_S
    while time.monotonic() < give_up_s:
        if page.evaluate(condition):
            return True
        time.sleep(0.01)
    return False


@contextmanager
def _page(browser: Any, address: str, viewport: dict[str, int]) -> Iterator[Any]:
    context = browser.new_context(base_url=f"http://{address}", locale="zh-CN", viewport=viewport)
    try:
        page = context.new_page()
        page.wait_for_timeout(_SETTLE_MS)
        yield page
    finally:
        context.close()
