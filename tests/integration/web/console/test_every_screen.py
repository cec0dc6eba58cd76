"""Every screen against a real engine with real pictures: it loads, it can be used by everybody, it looks right.

PATROL_SHOTS=FOLDER keeps a screenshot of each.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from engine.client import PatrolClient
from engine.demo.county import County
from engine.demo.runner import demo_settings
from engine.model.access import Role, TokenOrder
from engine.model.verdict import State
from engine.supervisor.app import Supervisor
from engine.web.console.screens import SCREENS
from tests.support.waiting import wait_until
from tests.support.web.browser import chromium, needs_chromium, page_of, sign_in
from tests.support.web.console import user

pytestmark = [needs_chromium, pytest.mark.timeout(400)]

PAGES = (
    "/",
    "/wall",
    "/wall?state=offline",
    "/review",
    "/review/list",
    "/finding?finding={finding}",
    "/ledger",
    "/ledger?print=1",
    "/kpis",
    "/spot-checks",
    "/registry",
    "/registry/import",
    "/camera?id={faulty}",
    "/camera?id={offline}",
    "/canteen?id={canteen}",
    "/scheduler",
    "/scheduler/config",
    "/access",
    "/access/audit",
    "/signin",
    "/no-such-page",
)
LOOKS: dict[str, dict[str, Any]] = {
    "en-light": {"locale": "en-GB", "color_scheme": "light"},
    "zh-dark": {"locale": "zh-CN", "color_scheme": "dark"},
    "zh-phone": {"locale": "zh-CN", "color_scheme": "light", "viewport": {"width": 390, "height": 844}},
}


class Province(NamedTuple):
    address: str
    admin: str
    ids: dict[str, str]


@pytest.fixture(scope="module")
def province(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Province]:
    folder = tmp_path_factory.mktemp("screens")
    with (
        County(1, lambda _, __: None) as county,
        Supervisor(demo_settings(folder)) as engine,
        PatrolClient(engine.addresses["grpc"]) as local,
    ):
        local.import_cameras([demo.camera for demo in county.cameras])
        _, admin = local.access.create_token(TokenOrder("director", Role.ADMIN, ""))
        with PatrolClient(engine.addresses["grpc"], token=admin) as client:
            found = lambda: list(client.findings.list())  # noqa: E731
            offline = lambda: [  # noqa: E731
                status.camera.camera_id
                for status in client.cameras()
                if status.latest is not None and status.latest.announced == State.OFFLINE
            ]
            wait_until(lambda: len(found()) >= 5 and offline(), 120)
            seen = found()[0]
            canteen = next(iter(client.canteens.list()))
            ids = {
                "finding": str(seen.finding_id),
                "faulty": seen.subject.camera_id,
                "offline": offline()[0],
                "canteen": canteen.canteen_id,
            }
            yield Province(engine.addresses["web"], admin, ids)


def violations(page: Any) -> list[str]:
    """Return what axe finds: rule, and the elements."""
    from axe_playwright_python.sync_playwright import Axe

    found = Axe().run(page).response["violations"]
    return [f"{rule['id']}: {node['html'][:160]}" for rule in found for node in rule["nodes"]]


@pytest.mark.parametrize(
    "look", [look if look == "zh-phone" else pytest.param(look, marks=pytest.mark.long) for look in LOOKS]
)
def test_every_page_loads_and_everybody_can_use_it(province: Province, look: str) -> None:
    shots = os.environ.get("PATROL_SHOTS", "")
    problems = []
    with chromium() as browser, page_of(browser, province.address, **LOOKS[look]) as page:
        sign_in(page, province.admin)
        for path in PAGES:
            reply = page.goto("/console" + path.format(**province.ids))
            wanted = 404 if "no-such" in path else 200
            if reply.status != wanted:
                problems.append(f"{path}: {reply.status}")
                continue
            page.wait_for_timeout(300)
            problems += [f"{path}: {line}" for line in violations(page)]
            if page.evaluate("document.documentElement.scrollWidth > window.innerWidth + 1"):
                problems.append(f"{path}: wider than the window")
            if shots:
                name = path.format(**province.ids).strip("/").translate(str.maketrans("/?=&", "----")) or "today"
                page.screenshot(path=Path(shots) / f"{name}-{look}.png")
    assert problems == [], "\n".join(problems)


def test_every_entry_of_the_navigation_has_a_page(province: Province) -> None:
    with user(province.address, province.admin) as someone:
        first = someone.get("/").text
        for screen in SCREENS:
            if screen.path:
                assert f'href="/console{screen.path}"' in first
                assert someone.get(screen.path).status_code == 200
