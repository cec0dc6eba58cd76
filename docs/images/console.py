"""Photographs every screen of the console from a real run of the demo: `python docs/images/console.py`.

It takes three minutes and needs Chromium and a Chinese font (Debian: chromium fonts-noto-cjk). The cameras are healthy
at first, so that each fault has a usual picture beside it.
"""

import tempfile
import threading
from pathlib import Path
from typing import Any

from draw import wait_until_named, wait_until_ok
from playwright.sync_api import sync_playwright

from engine.client.patrol import PatrolClient
from engine.demo.area_map import county_map
from engine.demo.county import County
from engine.demo.runner import demo_settings
from engine.model.access import Role, TokenOrder
from engine.model.findings import FindingQuery
from engine.supervisor.app import Supervisor

FOLDER = Path(__file__).parent / "console"
DESK: dict[str, Any] = {"viewport": {"width": 1366, "height": 768}, "locale": "en-GB"}
DARK: dict[str, Any] = {"viewport": {"width": 1366, "height": 768}, "locale": "zh-CN", "color_scheme": "dark"}
PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "locale": "zh-CN"}
SHOTS: tuple[tuple[str, str, dict[str, Any]], ...] = (
    ("today", "/", DESK),
    ("wall", "/wall", DARK),
    ("review", "/review?finding={finding}", DESK),
    ("review-phone", "/review?finding={finding}", PHONE),
    ("ledger", "/ledger", DESK),
    ("finding", "/finding?finding={finding}", DESK),
    ("kpis", "/kpis", DESK),
    ("spot-checks", "/spot-checks", DESK),
    ("registry", "/registry", DESK),
    ("camera", "/camera?id={camera}", DESK),
    ("scheduler", "/scheduler", DESK),
    ("configuration", "/scheduler/config", DESK),
    ("access", "/access", DESK),
)


def main() -> None:
    """Run the demo until all faults are named, then photograph every screen."""
    FOLDER.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as made, County(healthy=True) as before, County() as county:
        folder = Path(made)
        map_file = folder / "map.json"
        map_file.write_text(county_map(), encoding="utf-8")
        settings = demo_settings(folder, map_file)
        with Supervisor(settings, threading.Event()) as engine, PatrolClient(engine.addresses["grpc"]) as local:
            local.import_cameras([demo.camera for demo in before.cameras])
            wait_until_ok(local)
            local.import_cameras([demo.camera for demo in county.cameras])
            wait_until_named(local, county)
            still_open = local.findings.list(FindingQuery(open_only=True))
            found = next(row for row in still_open if row.subject.cause_key.startswith("blurred"))
            ids = {"finding": str(found.finding_id), "camera": found.subject.camera_id}
            _, token = local.access.create_token(TokenOrder("省局-王", Role.ADMIN, ""))
            photograph(engine.addresses["web"], token, ids)


def photograph(address: str, token: str, ids: dict[str, str]) -> None:
    """Write a picture of each screen."""
    with sync_playwright() as playwright:
        options = ["--no-sandbox", "--disable-gpu"]
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=options)
        for look in (DESK, DARK, PHONE):
            context = browser.new_context(base_url=f"http://{address}", **look)
            page = context.new_page()
            page.goto("/console/signin")
            page.locator("#token").fill(token)
            page.locator("form[action$='/signin'] button.primary").click()
            page.wait_for_url("**/console/")
            for name, path, wanted in SHOTS:
                if wanted is look:
                    page.goto("/console" + path.format(**ids))
                    page.wait_for_timeout(2500)
                    page.screenshot(path=FOLDER / f"{name}.jpg", type="jpeg", quality=80)
            context.close()
        browser.close()


if __name__ == "__main__":
    main()
