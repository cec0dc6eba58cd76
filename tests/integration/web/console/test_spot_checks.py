"""Spot checks in the console, in front of a real engine: preview, draw, progress, paper, the month; who may what."""

import csv
import io
import re
from collections.abc import Iterator

import pytest

from engine.web.console.languages import language
from engine.web.console.screens.spot_checks import one
from tests.support.waiting import wait_until
from tests.support.web.browser import chromium, needs_chromium, page_of
from tests.support.web.ledger import FORMULA, HERE, SCRIPT, LedgerWorld, ledger_world


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LedgerWorld]:
    with ledger_world(tmp_path_factory.mktemp("spots")) as made:
        yield made


def fields_of(preview: str) -> dict[str, str]:
    """Return the hidden fields of the preview's form."""
    names = ("size", "seed", "region", "digest", "request_id")
    return {name: re.findall(rf'name="{name}" value="([^"]*)"', preview)[0] for name in names}


def draws(page: str) -> list[str]:
    """Return the numbers of the draws that are listed."""
    return re.findall(r'href="/console/spot-check\?draw=(\d+)"', page)


def test_a_preview_stores_nothing_and_the_draw_is_what_it_showed(world: LedgerWorld) -> None:
    operator = world.users["operator"]
    before = draws(operator.get("/spot-checks").text)
    preview = operator.post("/spot-checks/preview", {"size": "3", "check_now": "1"}, seen_on="/spot-checks")
    assert "Nothing is stored yet" in preview.text
    assert draws(operator.get("/spot-checks").text) == before
    shown = set(re.findall(r'<th scope="row">([^<]+)</th>', preview.text.rpartition("<table>")[2]))
    fields = fields_of(preview.text)
    places = [
        operator.post("/spot-checks/draw", {**fields, "check_now": "1"}, seen_on="/spot-checks").headers["location"]
        for _ in range(2)
    ]
    assert places[0] == places[1], "sent twice, drawn once"
    path = places[0].removeprefix("/console")
    assert "differs" not in path
    page = operator.get(path).text
    assert "cameras are visited at once" in page
    assert set(re.findall(r'class="name"><a [^>]*>([^<]+)</a>', page)) == shown
    assert len(shown) == 3

    def all_visited() -> bool:
        return "9 of 9 cameras were visited since the draw" in operator.get(path).text

    wait_until(all_visited)
    rows = list(csv.reader(io.StringIO(operator.get(path.replace("/spot-check?", "/spot-check.csv?")).text)))
    assert len(rows) == 1 + 3
    paper = operator.get(path + "&print=1").text
    assert paper.count('class="bag"') == 3
    assert "<nav" not in paper
    assert "Notes" in paper
    assert SCRIPT not in paper
    assert re.search(r"3 of 4 canteens were drawn since \d{4}-\d\d-01", operator.get("/spot-checks").text)


def test_a_draw_that_differs_from_its_preview_says_so(world: LedgerWorld) -> None:
    operator = world.users["operator"]
    fields = fields_of(operator.post("/spot-checks/preview", {"size": "2"}, seen_on="/spot-checks").text)
    reply = operator.post("/spot-checks/draw", fields | {"digest": "0" * 16}, seen_on="/spot-checks")
    page = operator.get(reply.headers["location"].removeprefix("/console")).text
    assert "The draw differs from the preview" in page


def test_a_county_sees_draws_from_within_it_only(world: LedgerWorld) -> None:
    operator, inspector = world.users["operator"], world.users["inspector"]
    fields = fields_of(operator.post("/spot-checks/preview", {"size": "1"}, seen_on="/spot-checks").text)
    everywhere = operator.post("/spot-checks/draw", fields, seen_on="/spot-checks").headers["location"]
    form = {"size": "9", "region": HERE}
    fields = fields_of(operator.post("/spot-checks/preview", form, seen_on="/spot-checks").text)
    own = operator.post("/spot-checks/draw", fields, seen_on="/spot-checks").headers["location"]
    number = re.findall(r"draw=(\d+)", own)[0]
    assert draws(inspector.get("/spot-checks").text) == [number]
    assert inspector.get(everywhere.removeprefix("/console")).status_code == 404
    page = inspector.get(own.removeprefix("/console")).text
    assert SCRIPT not in page
    assert "&lt;script&gt;" in page
    assert "'" + FORMULA not in page
    assert "Operators draw canteens" in inspector.get("/spot-checks").text


def test_who_may_not_draw_and_what_cannot_be_drawn(world: LedgerWorld) -> None:
    viewer, operator = world.users["viewer"], world.users["operator"]
    assert 'action="/console/spot-checks/preview"' not in viewer.get("/spot-checks").text
    refused = viewer.post("/spot-checks/draw", {"size": "1"}, seen_on="/ledger")
    assert refused.status_code == 403
    nothing = operator.post("/spot-checks/preview", {"region": "65"}, seen_on="/spot-checks")
    assert nothing.status_code == 404
    assert "Nothing was drawn" in nothing.text
    for wrong in ({"seed": "-1"}, {"seed": str(2**32)}, {"size": "20001"}, {"size": "x"}, {"region": "x"}):
        assert operator.post("/spot-checks/preview", wrong, seen_on="/spot-checks").status_code == 400, wrong
    assert operator.get("/spot-check").status_code == 400
    assert operator.get("/spot-check?draw=999").status_code == 404


def test_every_text_in_code_has_its_chinese() -> None:
    assert sorted(set(one.TEXTS) - set(language("zh").texts)) == []


@needs_chromium
def test_an_operator_draws_by_keyboard(world: LedgerWorld) -> None:
    cookies = [
        {"name": name, "value": value, "domain": "127.0.0.1", "path": "/console"}
        for name, value in world.users["operator"].http.cookies.items()
    ]
    with chromium() as browser, page_of(browser, world.address, locale="zh-CN") as page:
        page.context.add_cookies(cookies)
        page.goto("/console/spot-checks")
        page.get_by_label("食堂", exact=True).fill("2")
        page.keyboard.press("Enter")
        page.get_by_text("尚未保存").wait_for()
        page.get_by_role("button", name="确认抽取这些食堂").press("Enter")
        page.wait_for_url("**/spot-check?draw=*")
        page.locator("#progress").get_by_text("抽取后已巡查 6 路，共 6 路").wait_for()
        page.get_by_role("link", name="现场检查表").click()
        page.locator(".bag").nth(1).wait_for()
        assert page.get_by_role("button", name="打印").is_visible()
