"""A camera's page in front of a whole engine whose cameras stream: check now, plots, the password that nobody sees."""

import json
from collections.abc import Iterator
from contextlib import ExitStack
from functools import partial
from typing import Any, NamedTuple

import pytest

from engine.client import PatrolClient
from engine.demo.county import County
from engine.demo.runner import demo_settings
from engine.supervisor.app import Supervisor
from tests.support.live_engine import DARK, HEALTHY, LOCKED
from tests.support.waiting import wait_until
from tests.support.web.browser import chromium, needs_chromium, page_of
from tests.support.web.console import User, user
from tests.support.web.county import sent_by

READY_S = 60
HANGING = 11
"""A camera that takes a connection and says nothing."""
_HANG_S = 4


class Live(NamedTuple):
    """`ids`: of the cameras, by their number in the demo's county."""

    address: str
    client: PatrolClient
    ids: dict[int, str]


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    with ExitStack() as stack:
        county = stack.enter_context(County(only={HEALTHY, DARK, HANGING, LOCKED}))
        settings = demo_settings(tmp_path_factory.mktemp("live"))
        patient = settings.feed.model_copy(update={"connect_timeout_s": _HANG_S, "deadline_s": 2 * _HANG_S})
        scheduler = settings.scheduler.model_copy(update={"order_timeout_s": 4 * _HANG_S})
        changed = settings.model_copy(update={"feed": patient, "scheduler": scheduler})
        engine = stack.enter_context(Supervisor(changed))
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"]))
        cameras = [demo.camera for demo in county.cameras]
        client.import_cameras(cameras)
        ids = {int(camera.camera_id[-6:]): camera.camera_id for camera in cameras}
        wait_until(lambda: all(status.latest is not None for status in client.cameras()), READY_S)
        yield Live(engine.addresses["web"], client, ids)


@pytest.fixture
def someone(live: Live) -> Iterator[User]:
    with user(live.address) as local:
        yield local


def test_a_check_without_script_waits_for_its_result(live: Live, someone: User) -> None:
    before = live.client.camera(live.ids[HEALTHY]).latest
    reply = someone.post("/camera/check", {"id": live.ids[HEALTHY]}, timeout=70)
    assert reply.status_code == 303, reply.text
    assert reply.headers["location"].endswith("&checked=verdict")
    after = live.client.camera(live.ids[HEALTHY]).latest
    assert before is not None
    assert after is not None
    assert after.at_wall_ns > before.at_wall_ns
    page = someone.http.get(reply.headers["location"]).text
    assert "The camera was visited; the verdict is stored." in page


def test_a_script_is_told_each_step_of_one_check_at_a_time(live: Live, someone: User) -> None:
    fields = {"id": live.ids[HANGING], "form_token": someone.form_token("/")}
    headers = {"Origin": someone.origin, "Accept": "application/x-ndjson"}
    order = partial(someone.http.stream, "POST", "/console/camera/check", data=fields, headers=headers, timeout=70)
    with order() as reply:
        assert reply.headers["content-type"].startswith("application/x-ndjson")
        with order() as second:
            assert second.status_code == 429, "one at a time"
        lines = [json.loads(line) for line in reply.iter_lines()]
    assert [line["last"] for line in lines] == [False] * (len(lines) - 1) + [True]
    steps = [line["step"] for line in lines]
    assert (steps[0], steps[-1]) == ("ordered", "judged")
    assert "visiting" in steps, "the camera hangs for seconds"
    assert "offline" in lines[-1]["html"]
    with order() as another:
        assert another.status_code == 200, "the first has ended"


def test_a_paused_camera_is_not_checked_and_its_page_says_why(live: Live, someone: User) -> None:
    camera_id = live.ids[DARK]
    assert someone.post("/camera/pause", {"id": camera_id, "reason": "roof <b>works</b>"}).status_code == 303

    def checked() -> Any:  # a visit that was under way when the pause began still ends with a verdict
        reply = someone.post("/camera/check", {"id": camera_id}, timeout=70)
        return reply if reply.headers["location"].endswith("&checked=paused") else None

    reply = wait_until(checked, 60)
    page = someone.http.get(reply.headers["location"]).text
    assert "It is paused: nothing was visited." in page
    assert "Result:" not in page, "the verdict of an earlier visit is no result of this check"
    assert "roof &lt;b&gt;works&lt;/b&gt;" in page, "the plan tells the reason"
    assert someone.post("/camera/resume", {"id": camera_id}).status_code == 303
    assert "roof" not in someone.get(f"/camera?id={camera_id}").text.partition('id="plan"')[2].partition("</section")[0]


def test_a_password_is_kept_and_does_not_get_to_another_address(live: Live, someone: User) -> None:
    camera_id = live.ids[LOCKED]
    fields = sent_by(someone, f"/camera/edit?id={camera_id}", "/camera/edit")
    assert "wrong-password" not in str(fields)
    assert ":***@127.0.0.1" in fields["url"]
    moved = someone.post("/camera/edit", {**fields, "url": fields["url"].replace("127.0.0.1", "127.0.0.2")})
    assert moved.status_code == 400
    assert "*** stands for the password" in moved.text
    assert someone.post("/camera/edit", {**fields, "display_name": "renamed"}).status_code == 303
    after = someone.get(f"/camera?id={camera_id}").text
    assert "renamed" in after
    assert ":***@127.0.0.1" in after
    assert "wrong-password" not in after


@needs_chromium
def test_a_camera_is_checked_by_keyboard_and_its_figures_are_plotted(live: Live) -> None:
    with chromium() as browser, page_of(browser, live.address) as page:
        page.goto(f"/console/camera?id={live.ids[HEALTHY]}", timeout=60_000)
        page.wait_for_selector("#plots canvas", timeout=30_000)
        assert page.locator("#plots .plot").count() >= 3
        assert int(page.locator("#plots").get_attribute("data-points")) > 0
        _focus(page, "Check now")
        page.keyboard.press("Enter")
        page.wait_for_selector("#check-progress [data-step=judged]", timeout=70_000)
        assert "The camera was visited; the verdict is stored." in page.locator("#check-progress").inner_text()
        page.wait_for_selector("form#check button:not([disabled])")
        picture = page.locator("#now img")
        page.wait_for_function("document.querySelector('#now img')?.naturalWidth > 0", timeout=30_000)
        assert "Picture of" in picture.get_attribute("alt")


def _focus(page: Any, text: str) -> None:
    """Go on with the Tab key until a button has the focus."""
    for _ in range(40):
        page.keyboard.press("Tab")
        if page.evaluate("document.activeElement.textContent").strip() == text:
            return
    raise AssertionError(f"the Tab key does not come to {text!r}")
