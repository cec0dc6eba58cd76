"""A day in the life at the console: inspectors with mouse and keyboard alone, in a browser, while processes die.

The demo's county streams twice: as it should be, and with its faults. A camera is broken and put right by its URL.
"""

import os
import re
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any, NamedTuple

import httpx
import pytest

from engine.client import CallError, PatrolClient
from engine.config.ledger import LedgerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.demo.county import County
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingQuery, LedgerEvent, Step
from engine.model.registry import CameraQuery
from engine.model.verdict import State
from engine.supervisor.app import Supervisor
from tests.support.live_engine import fast_scheduler, settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.support.web.browser import chromium, needs_chromium, page_of, sign_in
from tests.support.web.console import user

pytestmark = [needs_chromium, pytest.mark.timeout(300)]

SEED = 1
HEALTHY = (0, 1)
COVERED, DARK, BLURRED = (2, 31), (24, 25), (8,)
"""Numbers of cameras of the demo's county with this seed, by their fault."""
WAIT_MS = 40_000


class Words(NamedTuple):
    """What the pages say in a language."""

    locale: str
    wall: str
    review: str
    ledger: str
    covered: str
    acknowledged: str
    claimed: str
    show_again: str
    finding_page: str
    did_not_hold: str
    claim: str
    steps: tuple[str, ...]


ENGLISH = Words(
    "en-GB", "Wall", "Review", "Ledger", "covered", "Acknowledged no. {}.", "Claimed no. {} as put right.",
    "Show it again", "The finding's page", "The claim did not hold.", "Claim it is put right",
    ("opened", "acknowledged", "claimed", "recheck begun", "recheck failed",
     "claimed", "recheck begun", "recheck passed", "closed"),
)  # fmt: skip
CHINESE = Words(
    "zh-CN", "画面墙", "研判", "台账", "镜头遮挡", "已签收第 {} 号。", "已为第 {} 号申报整改。",
    "再看一次", "问题详情", "复查未通过。", "申报整改",
    ("立案", "已签收", "申报整改", "开始复查", "复查未通过", "申报整改", "开始复查", "复查通过", "已销号"),
)  # fmt: skip


class Day(NamedTuple):
    """`good`, `bad`: cameras by their number, with the URLs of the two counties."""

    engine: Supervisor
    client: PatrolClient
    tokens: dict[str, str]
    good: dict[int, Camera]
    bad: dict[int, Camera]

    @property
    def address(self) -> str:
        """Where the console is."""
        return self.engine.addresses["web"]

    def break_camera(self, number: int) -> None:
        """From now on the camera shows its fault."""
        self.client.update_camera(self.bad[number], ["url"])

    def put_right(self, number: int) -> None:
        """From now on the camera shows what it should."""
        self.client.update_camera(self.good[number], ["url"])

    def finding(self, number: int) -> Finding:
        """Wait until the ledger has a finding of the camera."""
        query = FindingQuery(camera_id=self.good[number].camera_id)
        return wait_until(lambda: next(self.client.findings.list(query), None), 60, poll_s=0.2)

    def steps(self, finding: Finding) -> list[Step]:
        """Return what the ledger says that happened to a finding, apart from the notices."""
        return [event.step for event in self.events(finding) if event.step is not Step.NOTIFIED]

    def events(self, finding: Finding) -> list[LedgerEvent]:
        """Return the finding's events; wait for the engine if it is just starting."""

        def listed() -> list[LedgerEvent]:
            try:
                return list(self.client.findings.events(finding.finding_id))
            except CallError as error:
                if error.status != "UNAVAILABLE":
                    raise
                return []

        return wait_until(listed, 60, poll_s=0.2)


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Day]:
    """Every camera is well at first."""
    numbers = {*HEALTHY, *COVERED, *DARK, *BLURRED}
    chosen = settings(
        tmp_path_factory.mktemp("day"),
        scheduler=fast_scheduler(outage_cameras_min=1000),
        serve=ServeSettings(grpc_listen=f"127.0.0.1:{free_port()}", metrics_listen=""),
        web=WebSettings(listen=f"127.0.0.1:{free_port()}"),  # ports that are the same after a restart
        ledger=LedgerSettings(recheck_spacing_s=1, inspector_dismiss_severity="blind"),
    )
    with ExitStack() as stack:
        well = stack.enter_context(County(SEED, only=numbers, healthy=True))
        faulty = stack.enter_context(County(SEED, only=numbers))
        by_number = [
            {int(demo.camera.camera_id[-6:]): demo.camera for demo in county.cameras} for county in (well, faulty)
        ]
        engine = stack.enter_context(Supervisor(chosen))
        with PatrolClient(engine.addresses["grpc"]) as local:
            tokens = {"admin": local.access.create_token(TokenOrder("admin", Role.ADMIN))[1]}
        client = stack.enter_context(PatrolClient(engine.addresses["grpc"], token=tokens["admin"]))
        for name in ("wang", "li"):
            tokens[name] = client.access.create_token(TokenOrder(name, Role.INSPECTOR))[1]
        client.import_cameras(by_number[0].values())
        well_ones = CameraQuery(state=State.OK)
        wait_until(lambda: len(list(client.cameras(well_ones))) == len(numbers), 120, poll_s=0.5)
        yield Day(engine, client, tokens, *by_number)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    with chromium() as made:
        yield made


def wait_for_keys(page: Any) -> None:
    """Wait until the review's script listens to keys: it shows this button then."""
    page.locator("#help-open").wait_for()


def open_in_review(page: Any, finding: Finding, review: str = "Review") -> None:
    """Click on the review, and go through the queue to the finding by key."""
    page.get_by_role("link", name=review, exact=True).click()
    page.wait_for_url("**/review*")
    wait_for_keys(page)
    for _ in range(20):
        title = page.locator("#review h2").inner_text()
        if re.search(rf"\b{finding.finding_id}\b|第 {finding.finding_id} 号", title):
            return
        page.keyboard.press("j")
        page.wait_for_function("text => document.querySelector('#review h2').innerText !== text", arg=title)
    raise AssertionError(f"no. {finding.finding_id} is not in the queue")


@pytest.mark.parametrize(
    ("words", "number"),
    [pytest.param(ENGLISH, COVERED[0], marks=pytest.mark.long), (CHINESE, COVERED[1])],
    ids=["en", "zh"],
)
def test_a_fault_appears_on_the_wall_and_is_put_right(day: Day, browser: Any, words: Words, number: int) -> None:
    camera_id = day.good[number].camera_id
    with page_of(browser, day.address, locale=words.locale) as page:
        page.set_default_timeout(WAIT_MS)
        sign_in(page, day.tokens["wang"])
        page.get_by_role("link", name=words.wall, exact=True).click()
        tile = page.locator(f".tile[data-id='{camera_id}']")
        tile.locator("img[src^='data:']").wait_for()
        assert "ok" in tile.get_attribute("class").split()

        # The fault appears while the wall is open; the inspector opens it.
        day.break_camera(number)
        page.locator(f".tile.fault[data-id='{camera_id}']").wait_for()
        assert words.covered in tile.inner_text()
        page.locator("#wall-worse").click()
        page.locator(f".tile.fault[data-id='{camera_id}'][aria-posinset='1'] img[src^='data:']").wait_for()
        finding = day.finding(number)
        tile.get_by_role("link").click()
        page.wait_for_url(f"**/camera?id={camera_id}")
        assert page.locator(f"a[href$='/finding?finding={finding.finding_id}']").first.is_visible()

        # The review: acknowledged, and claimed too early.
        open_in_review(page, finding, words.review)
        assert words.covered in page.locator("#review h2").inner_text()
        page.locator(".review-picture.evidence img").wait_for()
        page.keyboard.press("a")
        page.locator(".review-done", has_text=words.acknowledged.format(finding.finding_id)).wait_for()
        page.get_by_role("link", name=words.show_again).click()
        page.locator(".review-done").wait_for(state="detached")
        page.locator("#review details[data-key='c']").wait_for()
        wait_for_keys(page)
        page.keyboard.press("c")
        page.keyboard.type("too early")
        page.keyboard.press("Enter")
        page.locator(".review-done", has_text=words.claimed.format(finding.finding_id)).wait_for()
        page.get_by_role("link", name=words.show_again).click()
        page.locator(".review-done").wait_for(state="detached")
        page.get_by_role("link", name=words.finding_page).click()
        page.locator("#facts .error", has_text=words.did_not_hold).wait_for()
        assert Step.RECHECK_FAILED in day.steps(finding)

        # The cloth is gone: claimed again, on the page that said so; it closes by itself.
        day.put_right(number)
        form = page.locator("#actions details", has=page.locator("input[name='step'][value='claim']"))
        if form.get_attribute("open") is None:
            form.locator("summary").click()
        form.locator("textarea").fill("the cloth is gone")
        form.get_by_role("button", name=words.claim).click()
        page.locator("#facts .state.ok").wait_for()
        shown = [text.removeprefix("▲").strip() for text in page.locator("#timeline li p > b").all_inner_texts()]
        assert tuple(shown) == words.steps
        assert "the cloth is gone" in page.locator("#timeline").inner_text()
        page.get_by_role("link", name=words.ledger, exact=True).first.click()
        page.locator("#state").select_option("closed")
        page.locator("form.filters button.primary").click()
        page.locator(f"#ledger-now a[href$='finding={finding.finding_id}']").first.wait_for()
    assert [event.who for event in day.events(finding) if event.step in (Step.ACKNOWLEDGED, Step.CLAIMED)] == [
        "wang"
    ] * 3


def test_two_inspectors_at_once_do_not_step_on_each_other(day: Day, browser: Any) -> None:
    day.break_camera(DARK[0])
    finding = day.finding(DARK[0])
    with page_of(browser, day.address) as wang, page_of(browser, day.address) as li:
        for name, page in (("wang", wang), ("li", li)):
            page.set_default_timeout(WAIT_MS)
            sign_in(page, day.tokens[name])
            open_in_review(page, finding)
        li.locator("#review-viewers", has_text="also open: wang").wait_for()
        wang.reload()  # else wang learns it within 20 s
        wait_for_keys(wang)
        wang.locator("#review-viewers", has_text="also open: li").wait_for()
        li.keyboard.press("x")
        li.keyboard.press("Space")
        li.keyboard.press("Tab")
        li.keyboard.type("lights are out on purpose")
        li.keyboard.press("Enter")
        li.locator(".review-done", has_text=f"Dismissed no. {finding.finding_id}.").wait_for()
        wang.keyboard.press("a")
        refused = wang.locator(".review-refused")
        refused.wait_for()
        assert "Somebody else acted meanwhile" in refused.inner_text()
        assert re.search(r"li \(inspector\) · dismissed · .*lights are out on purpose", refused.inner_text())
        assert wang.locator('#review [data-key="a"]').count() == 0, "there is nothing left to do"
        wang.keyboard.press("a")
    assert day.steps(finding) == [Step.OPENED, Step.DISMISSED]


@pytest.mark.parametrize(
    ("number", "is_sent_first"),
    [(DARK[1], False), pytest.param(BLURRED[0], True, marks=pytest.mark.long)],
    ids=["killed", "sent"],
)
def test_a_click_is_not_lost_when_the_engine_is_killed(
    day: Day, browser: Any, number: int, is_sent_first: bool
) -> None:
    """`is_sent_first`: the hub dies just after the key, so that the action may have been done, but nobody said so."""
    day.break_camera(number)
    finding = day.finding(number)
    hub = day.engine.pids()["hub"]
    with page_of(browser, day.address) as page:
        page.set_default_timeout(WAIT_MS)
        sign_in(page, day.tokens["wang"])
        open_in_review(page, finding)
        if is_sent_first:
            page.keyboard.press("a")
            os.kill(hub, signal.SIGKILL)
        else:
            os.kill(hub, signal.SIGKILL)
            page.keyboard.press("a")
            page.locator("#away").wait_for()
            assert "does not answer" in page.locator("#away").inner_text()
        page.locator(".review-done", has_text=f"Acknowledged no. {finding.finding_id}.").wait_for()
        page.locator("#away").wait_for(state="hidden")
        page.get_by_role("link", name="Show it again").click()
        page.locator(".review-events", has_text="acknowledged").wait_for()
    assert day.engine.pids()["hub"] != hub
    assert day.steps(finding) == [Step.OPENED, Step.ACKNOWLEDGED]


def test_who_is_signed_in_stays_so_when_the_web_process_is_killed(day: Day, browser: Any) -> None:
    web = day.engine.pids()["web"]

    def answers() -> bool:
        try:
            return httpx.get(f"http://{day.address}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    with user(day.address, day.tokens["li"]) as someone, page_of(browser, day.address) as page:
        page.set_default_timeout(WAIT_MS)
        sign_in(page, day.tokens["wang"])
        form_token = someone.form_token("/review")
        os.kill(web, signal.SIGKILL)
        wait_until(lambda: day.engine.pids().get("web", web) != web and answers(), 60)
        assert someone.get("/review").status_code == 200
        assert "li" in someone.get("/").text
        choice = {"form_token": form_token, "language": "en", "theme": "dark", "back": "/"}
        sent = someone.http.post("/console/choose", data=choice, headers={"Origin": someone.origin})
        assert sent.status_code == 303, "a form that was open before the restart is taken"
        page.get_by_role("link", name="Ledger", exact=True).click()
        page.wait_for_url("**/ledger")
        assert page.locator("header details.menu summary").inner_text() == "wang"
