"""The review queue of a real engine: its order, two users at once, wrong steps, hostile reasons, and many at once."""

import re
from collections.abc import Iterator
from contextlib import ExitStack
from html import unescape
from typing import Any, NamedTuple

import pytest

from engine.client import PatrolClient
from engine.config.ledger import LedgerSettings
from engine.config.web import WebSettings
from engine.demo.county import County
from engine.model.access import Role, TokenOrder
from engine.model.camera import Camera
from engine.model.findings import Finding, FindingQuery, FindingState, LedgerEvent, Step
from engine.model.verdict import Severity
from engine.supervisor.app import Supervisor
from tests.support.live_engine import fast_scheduler, settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.support.web.browser import chromium, needs_chromium, page_of, sign_in
from tests.support.web.console import User, user

HERE, THERE, DARK = "130102", "130203", 1
OFFLINE_CAMERAS = 18
_RANKS = {Severity.BLIND: 1, Severity.IMPAIRED: 2, Severity.COSMETIC: 3}
HOSTILE = '"><script>alert(1)</script>{{7*7}}%(x)s\u202e&lt;b&gt;'


class World(NamedTuple):
    web: str
    client: PatrolClient
    tokens: dict[str, str]
    users: dict[str, User]
    """Signed in once each: the console takes ten tries a minute."""

    def waiting(self) -> list[Finding]:
        """Return the queue as the engine has it."""
        states = frozenset({FindingState.OPEN, FindingState.NOTIFIED, FindingState.OVERDUE, FindingState.SUPERVISED})
        found = list(self.client.findings.list(FindingQuery(states=states)))
        return sorted(found, key=lambda f: (_RANKS[f.severity], f.deadline_wall_ns, f.finding_id))

    def one(self, region: str = "") -> Finding:
        """Return a finding of the queue, the last, so that tests do not compete for the first."""
        return next(finding for finding in reversed(self.waiting()) if finding.subject.region.startswith(region))

    def events(self, finding: Finding) -> list[LedgerEvent]:
        return list(self.client.findings.events(finding.finding_id))


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    folder = tmp_path_factory.mktemp("review")
    chosen = settings(
        folder,
        scheduler=fast_scheduler(outage_cameras_min=1000),
        web=WebSettings(listen="127.0.0.1:0"),
        ledger=LedgerSettings(offline_min_h=0),
    )
    port = free_port()
    offline = [
        Camera(
            f"c{n}", f"rtsp://u:p@127.0.0.1:{port}/{n}", name=f"切配间{n:02}", site_id=f"s{n}",
            site_name=f"第{n}中学食堂", region=HERE if n % 3 else THERE, uplink=f"u{n}",
        )
        for n in range(OFFLINE_CAMERAS)
    ]  # fmt: skip
    with County(0, only={DARK}) as county, Supervisor(chosen) as engine, ExitStack() as stack:
        address = engine.addresses["grpc"]
        with PatrolClient(address) as first:
            tokens = {"admin": first.access.create_token(TokenOrder("admin", Role.ADMIN))[1]}
        with PatrolClient(address, token=tokens["admin"]) as client:
            for name, role, region in (
                ("wang", Role.INSPECTOR, ""), ("li", Role.INSPECTOR, ""), ("boss", Role.OPERATOR, ""),
                ("guest", Role.VIEWER, ""), ("neighbour", Role.INSPECTOR, THERE),
            ):  # fmt: skip
                tokens[name] = client.access.create_token(TokenOrder(name, role, region))[1]
            client.import_cameras([*offline, *(demo.camera for demo in county.cameras)])
            web = engine.addresses["web"]
            names = ("wang", "li", "boss", "guest", "neighbour")
            users = {name: stack.enter_context(user(web, tokens[name])) for name in names}
            made = World(web, client, tokens, users)
            wait_until(lambda: len(made.waiting()) == OFFLINE_CAMERAS + 1, timeout_s=90)
            yield made


def fields(finding: Finding, action: str, **more: Any) -> dict[str, Any]:
    return {
        "finding": finding.finding_id,
        "number": finding.number,
        "action": action,
        "request_id": f"{action}-{finding.finding_id}",
        **more,
    }


def place(text: str) -> str:
    found = re.search(r'id="review-place">\s*(.*?)\s*</span>', text, re.DOTALL)
    assert found is not None, text[:300]
    return unescape(found[1])


def shown(text: str) -> int:
    found = re.search(r"<h2[^>]*>No\. (\d+):", text)
    assert found is not None, text[:300]
    return int(found[1])


def test_the_worst_comes_first_and_each_once_along_the_links(world: World) -> None:
    expected = [finding.finding_id for finding in world.waiting()]
    guest = world.users["guest"]
    text, seen = guest.get("/review").text, []
    for number in range(1, len(expected) + 1):
        seen.append(shown(text))
        assert place(text) == f"{number} of {len(expected)}"
        link = re.search(r'rel="next" href="/console([^"]+)"', text)
        if link is not None:
            text = guest.get(unescape(link[1])).text
    assert seen == expected


def test_a_filter_is_kept_by_links_and_forms_and_may_leave_nothing(world: World) -> None:
    wang = world.users["wang"]
    text = wang.get("/review?region=1302&kind=offline&overdue=no").text
    assert 'href="/console/review?finding=' in text
    links = re.findall(r'rel="next" href="([^"]+)"', text)
    assert all("region=1302&amp;kind=offline&amp;overdue=no" in link for link in links)
    assert '<input type="hidden" name="region" value="1302">' in text
    nothing = wang.get("/review?kind=snow")
    assert nothing.status_code == 200
    assert "Nothing waits for a review" in nothing.text
    assert "fits the filter" in nothing.text
    assert wang.get("/review?kind=%3Cscript%3E").status_code == 400


def test_the_dark_kitchen_is_shown_with_its_picture_figures_checks_and_canteen(world: World) -> None:
    (dark,) = [finding for finding in world.waiting() if finding.subject.cause_key != "offline"]
    wang = world.users["wang"]
    text = wang.get(f"/review?finding={dark.finding_id}").text
    assert re.search(r"mean brightness \(0 to 255\) [\d.]+, limit [\d.]+: <b>too low</b>", text)
    assert "No good picture from before the fault is kept." in text
    assert 'class="state fault" title="fault: too dark' in text
    assert f'href="/console/camera?id={dark.subject.camera_id}"' in text
    assert "Telephone numbers are shown to inspectors." not in text
    source = re.search(r'src="/console(/pictures/finding.jpg[^"]+)"', text)
    assert source is not None
    picture = wang.get(unescape(source[1]))
    assert (picture.status_code, picture.content[:2]) == (200, b"\xff\xd8")
    guest = world.users["guest"]
    assert "Telephone numbers are shown to inspectors." in guest.get(f"/review?finding={dark.finding_id}").text


def test_an_offline_camera_has_a_frame_that_says_why_there_is_no_picture(world: World) -> None:
    offline = next(finding for finding in world.waiting() if finding.subject.cause_key == "offline")
    wang = world.users["wang"]
    text = wang.get(f"/review?finding={offline.finding_id}", headers={"Accept-Language": "zh"}).text
    assert "摄像头离线：没有取得画面。" in text
    assert "/pictures/finding.jpg" not in text


def test_an_action_goes_on_to_the_next_and_acts_once(world: World) -> None:
    first, second = world.waiting()[:2]
    wang = world.users["wang"]
    for _ in range(2):
        reply = wang.post("/review/act", fields(first, "acknowledge"), seen_on="/review")
        assert reply.status_code == 303, reply.text
        target = reply.headers["location"]
        assert target == (
            f"/console/review?finding={second.finding_id}&done=acknowledge&number={first.finding_id}"
            f"&event={first.number + 1}"
        )
    text = wang.get(target.removeprefix("/console")).text
    assert f"Acknowledged no. {first.finding_id}." in text
    assert "not in the queue" in place(wang.get(f"/review?finding={first.finding_id}").text)
    assert [event.step for event in world.events(first)].count(Step.ACKNOWLEDGED) == 1


def test_the_second_of_two_users_learns_who_did_what_meanwhile(world: World) -> None:
    finding = world.one()
    wang = world.users["wang"]
    li = world.users["li"]
    form = wang.get(f"/review?finding={finding.finding_id}").text
    assert f'name="number" value="{finding.number}"' in form
    assert li.post("/review/act", fields(finding, "acknowledge", request_id="li"), seen_on="/review").is_redirect
    before = world.events(finding)
    late = wang.post("/review/act", fields(finding, "acknowledge", request_id="wang"), seen_on="/review")
    assert late.status_code == 409
    assert "Somebody else acted meanwhile" in late.text
    assert re.search(r"<b>li</b> \(inspector\) · acknowledged", late.text)
    assert f'name="number" value="{finding.number + 1}"' in late.text, "the finding as it is now"
    assert 'data-key="a"' not in late.text, "it is acknowledged already"
    part = wang.http.post(
        "/console/review/act",
        data=fields(finding, "acknowledge", request_id="wang"),
        headers={"Origin": wang.origin, "HX-Request": "true", "X-Form-Token": wang.form_token("/review")},
    )
    assert part.status_code == 200, "htmx swaps it in"
    assert part.text.lstrip().startswith('<section id="review"')
    assert "Somebody else acted meanwhile" in part.text
    assert world.events(finding) == before


def test_steps_that_are_wrong_change_nothing_and_say_why(world: World) -> None:
    finding = world.one()
    boss = world.users["boss"]
    wang = world.users["wang"]
    guest = world.users["guest"]
    page = guest.get(f"/review?finding={finding.finding_id}").text
    assert "an inspector decides" in page
    assert "/review/act" not in page
    no_reason = boss.post("/review/act", fields(finding, "dismiss"), seen_on="/review")
    assert (no_reason.status_code, "choose a reason or write one" in no_reason.text) == (400, True)
    assert boss.post("/review/act", fields(finding, "supervise", why=" "), seen_on="/review").status_code == 400
    assert boss.post("/review/act", fields(finding, "close", why="x"), seen_on="/review").status_code == 400
    for someone, action in ((guest, "acknowledge"), (wang, "supervise"), (wang, "dismiss")):
        refused = someone.post("/review/act", fields(finding, action, why="x"), seen_on="/review")
        assert (refused.status_code, "You may not do this" in refused.text) == (403, True), action
    assert len(world.events(finding)) == finding.number
    assert wang.post("/review/act", fields(finding, "acknowledge"), seen_on="/review").is_redirect
    again = fields(finding, "acknowledge", number=finding.number + 1, request_id="again")
    refused = wang.post("/review/act", again, seen_on="/review")
    assert (refused.status_code, "This is not possible now" in refused.text) == (400, True)
    assert "is acknowledged already" in refused.text


def test_a_hostile_reason_is_text_and_one_that_is_too_long_is_refused(world: World) -> None:
    finding = world.one()
    boss = world.users["boss"]
    long = boss.post("/review/act", fields(finding, "dismiss", why="x" * 501), seen_on="/review")
    assert long.status_code == 400
    reply = boss.post("/review/act", fields(finding, "dismiss", reason="cleaning", why=HOSTILE), seen_on="/review")
    assert reply.status_code == 303, reply.text
    text = boss.get(f"/review?finding={finding.finding_id}").text
    assert world.events(finding)[-1].why == f"Cleaning or maintenance was under way: {HOSTILE}"
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)&lt;/script&gt;{{7*7}}%(x)s" in text


def test_an_operator_undoes_a_dismissal_once_and_nobody_else_may(world: World) -> None:
    finding = world.one()
    boss, wang = world.users["boss"], world.users["wang"]
    reply = boss.post("/review/act", fields(finding, "dismiss", why="no fault"), seen_on="/review")
    text = boss.get(reply.headers["location"].removeprefix("/console")).text
    assert f"Dismissed no. {finding.finding_id}." in text
    assert 'data-key="z"' in text
    assert 'data-key="z"' not in wang.get(reply.headers["location"].removeprefix("/console")).text
    undo = fields(finding, "reopen", number=finding.number + 1)
    assert wang.post("/review/act", undo, seen_on="/review").status_code == 403
    for _ in range(2):
        reply = boss.post("/review/act", undo, seen_on="/review")
        assert reply.headers["location"].startswith(f"/console/review?finding={finding.finding_id}&done=reopen")
    late = {**undo, "number": finding.number + 2, "request_id": "late"}
    refused = boss.post("/review/act", late, seen_on="/review")
    assert (refused.status_code, "only a finding that was dismissed" in refused.text) == (400, True)
    assert [event.step for event in world.events(finding)][-2:] == [Step.DISMISSED, Step.REOPENED]
    assert world.events(finding)[-1].why == "The dismissal was a mistake, undone in the review"
    assert finding.finding_id in {other.finding_id for other in world.waiting()}


def test_who_else_has_a_finding_open_is_shown_until_they_leave(world: World) -> None:
    finding = world.one()
    li, wang = world.users["li"], world.users["wang"]
    path, mark = f"/review?finding={finding.finding_id}", {"finding": finding.finding_id}

    def others(text: str) -> set[str]:
        found = re.search(r"also open: ([^<]*)<", text)
        return set(found[1].split(", ")) if found is not None else set()

    li.get(path)
    assert "li" in others(wang.get(path).text)
    seen_by_li = others(li.post("/review/viewing", mark, seen_on="/review").text)
    assert "wang" in seen_by_li
    assert "li" not in seen_by_li, "li knows"
    li.post("/review/viewing", {**mark, "left": "1"}, seen_on="/review")
    assert "li" not in others(wang.post("/review/viewing", mark, seen_on="/review").text)
    li.http.get(f"/console{path}", headers={"HX-Request": "true"})  # fetched ahead of its time, and perhaps never shown
    assert "li" not in others(wang.post("/review/viewing", mark, seen_on="/review").text)
    foreign = {"finding": world.one(HERE).finding_id}
    assert world.users["neighbour"].post("/review/viewing", foreign, seen_on="/review").status_code == 404


def test_a_countys_token_has_its_county_only(world: World) -> None:
    here, there = world.one(HERE), world.one(THERE)
    neighbour = world.users["neighbour"]
    assert neighbour.get(f"/review?finding={there.finding_id}").status_code == 200
    assert neighbour.get(f"/review?finding={here.finding_id}").status_code == 404
    own = sum(finding.subject.region == THERE for finding in world.waiting())
    assert place(neighbour.get("/review").text) == f"1 of {own}"
    assert len(re.findall('name="target"', neighbour.get("/review/list").text)) == own
    refused = neighbour.post("/review/act", fields(here, "acknowledge"), seen_on="/review")
    assert refused.status_code == 404
    assert len(world.events(here)) == here.number


def test_several_are_decided_at_once_and_each_result_is_shown(world: World) -> None:
    good, stale, other = world.waiting()[-3:]
    wang = world.users["wang"]
    listed = wang.get("/review/list").text
    assert f'value="{good.finding_id}-{good.number}"' in listed
    targets = [f"{good.finding_id}-{good.number}", f"{stale.finding_id}-{stale.number + 4}", "999999-1"]
    batch = {"action": "acknowledge", "target": targets, "request_id": "batch"}
    text = wang.post("/review/batch", batch, seen_on="/review/list").text
    assert "1 of 3 findings were acknowledged." in text
    assert text.count("Somebody else acted meanwhile") == 1
    assert text.count("There is no such page or item") == 1
    for wrong in (
        {"action": "acknowledge"},
        {"action": "dismiss", "target": targets[:1]},
        {"action": "claim", "target": targets},
        {"action": "acknowledge", "target": ["x-1"]},
        {"action": "acknowledge", "target": [f"{n}-1" for n in range(1, 202)]},
    ):
        assert wang.post("/review/batch", wrong, seen_on="/review/list").status_code == 400, wrong
    assert world.events(good)[-1].step is Step.ACKNOWLEDGED
    boss = world.users["boss"]
    batch = {"action": "dismiss", "target": [f"{other.finding_id}-{other.number}"], "reason": "replaced"}
    assert "1 of 1 findings were dismissed." in boss.post("/review/batch", batch, seen_on="/review/list").text
    assert world.events(other)[-1].why == "The camera will be replaced"


@needs_chromium
def test_a_reviewer_decides_with_the_keyboard_alone(world: World) -> None:
    queue = world.waiting()
    first, second, third, fourth, fifth = queue[:5]
    with chromium() as browser, page_of(browser, world.web) as page:
        sign_in(page, world.tokens["boss"])
        page.goto("/console/review")

        def expect(finding: Finding) -> None:
            page.wait_for_function(
                "no => document.querySelector('#review h2')?.textContent.startsWith(`No. ${no}:`)",
                arg=str(finding.finding_id),
            )
            page.wait_for_url(f"**/review?finding={finding.finding_id}*")

        page.wait_for_load_state("networkidle")
        asked: list[str] = []
        page.on("request", lambda request: asked.append(request.url))
        page.keyboard.press("j")
        expect(second)
        here = f"{page.url.split('?')[0]}?finding={second.finding_id}"
        assert here not in asked, "it was fetched before it was asked for"
        page.keyboard.press("k")
        expect(first)
        page.keyboard.press("?")
        assert page.locator("#help").is_visible()
        page.keyboard.press("a")
        page.keyboard.press("Escape")
        page.wait_for_selector("#help", state="hidden")
        page.keyboard.press("c")  # opens its note field, in which keys are text
        page.keyboard.type("ajkx")
        assert page.locator("#claim-why").input_value() == "ajkx"
        page.keyboard.press("Escape")
        expect(first)
        assert len(world.events(first)) == first.number
        page.keyboard.press("a")
        expect(second)
        assert "Acknowledged no." in page.locator(".review-done").inner_text()
        page.keyboard.press("x")
        page.keyboard.press("Space")
        page.keyboard.press("Tab")
        page.keyboard.type("wet floor")
        page.keyboard.press("Enter")
        expect(third)
        page.keyboard.press("z")
        expect(second)
        assert "is open again" in page.locator(".review-done").inner_text()
        page.keyboard.press("j")
        expect(third)
        page.keyboard.press("s")
        page.keyboard.type("third time")
        page.keyboard.press("Enter")
        expect(fourth)
        page.go_back()
        expect(third)
        page.go_forward()
        expect(fourth)
        late = fields(fourth, "acknowledge", request_id="quicker")
        assert world.users["li"].post("/review/act", late, seen_on="/review").is_redirect
        page.keyboard.press("a")
        page.wait_for_selector(".review-refused")
        assert re.search(r"li \(inspector\) · acknowledged", page.locator(".review-refused").inner_text())
        assert page.locator('#review [data-key="a"]').count() == 0
        page.keyboard.press("j")
        expect(fifth)
    assert world.events(first)[-1].step is Step.ACKNOWLEDGED
    assert [event.step for event in world.events(second)][-2:] == [Step.DISMISSED, Step.REOPENED]
    assert world.events(second)[-2].why == "The picture is as it should be: wet floor"
    assert (world.events(third)[-1].step, world.events(third)[-1].why) == (Step.SUPERVISED, "third time")
