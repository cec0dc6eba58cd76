"""The wall against a real engine: without script, its JSON and pictures, its live stream; and in a browser."""

import base64
import json
from collections.abc import Generator, Iterator
from dataclasses import replace
from typing import Any

import httpx
import pytest

from engine.model.registry import CameraQuery
from engine.model.verdict import State
from tests.support.waiting import wait_until
from tests.support.web.browser import chromium, needs_chromium, page_of, sign_in
from tests.support.web.console import User, user
from tests.support.web.wall_engine import (
    CAMERAS,
    DARK,
    ELSEWHERE,
    OFFLINE,
    SEEN,
    WallEngine,
    cameras,
    picture,
    wall_engine,
)


@pytest.fixture(scope="module")
def wall(tmp_path_factory: pytest.TempPathFactory) -> Iterator[WallEngine]:
    with wall_engine(tmp_path_factory.mktemp("wall"), cameras()) as made:
        healthy = {camera_id: picture(number) for number, camera_id in enumerate(SEEN) if camera_id not in DARK}
        made.announce(healthy, State.OK)
        made.announce(dict.fromkeys(DARK, picture(1, 0.03)), State.FAULT)
        # This one had a picture before it went offline.
        visited = next(camera for camera in cameras() if camera.camera_id == OFFLINE[0])
        made.client.import_cameras([replace(visited, push=True, url="")])
        made.announce({OFFLINE[0]: picture(40)}, State.OK)
        made.client.import_cameras([visited])
        offline = CameraQuery(state=State.OFFLINE)
        wait_until(lambda: len(list(made.client.cameras(offline))) == len(OFFLINE), 120, poll_s=0.5)
        yield made


@pytest.fixture(scope="module")
def admin(wall: WallEngine) -> Iterator[User]:
    with user(wall.address, wall.tokens["admin"]) as someone:
        yield someone


def ids(reply: httpx.Response) -> list[str]:
    return [row["id"] for row in reply.json()["rows"]]


def test_without_script_the_worst_come_first_with_state_and_age_and_pages_lead_through_all(admin: User) -> None:
    seen: list[str] = []
    path = "/wall"
    while path:
        page = admin.get(path).text
        seen += [part.partition("&")[0].partition('"')[0] for part in page.split('href="/console/camera?id=')[1:]]
        _, _, link = page.partition('rel="next" href="/console')
        path = link.partition('"')[0].replace("&amp;", "&")
    assert sorted(seen) == sorted(camera.camera_id for camera in cameras())
    assert set(seen[:2]) == set(DARK)
    assert set(seen[2:4]) == set(OFFLINE)
    first = admin.get("/wall").text
    assert "too dark" in first
    assert "60 of 150 cameras" in first
    assert 'alt="" src="/console/pictures/thumbnail.jpg?id=p-001&amp;side=320"' in first
    assert "picture " in first.partition('src="/console/pictures/thumbnail.jpg?id=p-001')[2][:200], "its age is written"
    assert "<b>1</b>" not in first, "names are escaped"


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("state=fault", DARK),
        ("state=offline", OFFLINE),
        ("state=fault&kind=too_dark&severity=cosmetic", DARK),
        ("kind=blurred", ()),
        ("site_id=s0", ("p-001", "p-002", "p-000")),
        ("q=school+%26+0", ("p-001", "p-002", "p-000")),
        ("state=ok&key_point=special_room&site_id=s1", ("p-005",)),
        (f"state=ok&region={ELSEWHERE}", ()),
        ("age_h=1", ()),
    ],
)
def test_filters_are_in_the_url(admin: User, query: str, found: tuple[str, ...]) -> None:
    assert sorted(ids(admin.get(f"/wall/cameras.json?{query}"))) == sorted(found)
    page = admin.get(f"/wall?{query}")
    assert page.status_code == 200
    assert ('id="wall-empty" hidden' in page.text) == bool(found)
    assert page.text.count('<li class="tile') == len(found)


def test_the_unseen_say_so_and_are_not_green(admin: User) -> None:
    reply = admin.get("/wall/cameras.json?state=unseen").json()
    assert reply["total"] == CAMERAS - len(SEEN) - len(OFFLINE)
    assert {row["state"] for row in reply["rows"]} == {"unseen"}
    assert "not visited yet" in admin.get("/wall?state=unseen").text


def test_a_list_goes_on_by_its_token_and_cameras_can_be_asked_by_id(admin: User) -> None:
    first = admin.get("/wall/cameras.json?order=canteen")
    assert (len(ids(first)), first.json()["next"]) == (CAMERAS, "")
    page = admin.get("/wall?order=canteen").text
    token = page.partition("page_token=")[2].partition('"')[0].partition("&")[0]
    rest = ids(admin.get(f"/wall/cameras.json?order=canteen&page_token={token}"))
    assert rest == ids(first)[60:]
    some = admin.get("/wall/cameras.json?id=p-003&id=no-such&id=gone-0")
    assert ids(some) == ["p-003", "gone-0"], "one that is gone does not take the others with it"
    assert some.json()["rows"][1]["what"] == "refused"


@pytest.mark.parametrize(
    "query",
    [
        "state=green",
        "kind=x",
        "age_h=-1",
        "region=1234567",
        "region=13x",
        "page_token=x",
        "q=" + "x" * 101,
        "order=name+desc",
    ],
)
def test_what_a_filter_cannot_be_is_refused_with_a_page(admin: User, query: str) -> None:
    page = admin.get(f"/wall?{query}")
    assert page.status_code == 400
    assert "This input cannot be used" in page.text


def batch(someone: User, asked: list[tuple[str, str]]) -> tuple[list[Any], list[bytes]]:
    reply = someone.get(
        "/wall/thumbnails", params=[pair for id_, etag in asked for pair in (("id", id_), ("etag", etag))]
    )
    assert reply.status_code == 200, reply.text
    heads = reply.json()
    return heads, [base64.b64decode(head["j"]) for head in heads]


def test_a_batch_has_the_pictures_in_the_order_of_their_cameras(admin: User) -> None:
    heads, jpegs = batch(admin, [("p-000", "-"), ("p-140", "-"), ("p-003", "-")])
    assert [head["o"] for head in heads] == ["found", "missing", "found"]
    assert [jpeg[:3] for jpeg in jpegs] == [b"\xff\xd8\xff", b"", b"\xff\xd8\xff"]
    assert heads[0]["t"] > 1_600_000_000_000
    again, none = batch(admin, [("p-000", heads[0]["e"])])
    assert (again[0]["o"], again[0]["t"], none) == ("not_modified", heads[0]["t"], [b""])


@pytest.mark.parametrize("query", ["", "id=a", "&".join(f"id={n}&etag=-" for n in range(101)), "id=a&etag=-&side=9000"])
def test_a_batch_that_cannot_be_is_refused(admin: User, query: str) -> None:
    assert admin.get(f"/wall/thumbnails?{query}").status_code == 400


def test_a_county_sees_and_hears_its_own_only(wall: WallEngine) -> None:
    with user(wall.address, wall.tokens["elsewhere"]) as county:
        rows = ids(county.get("/wall/cameras.json"))
        assert set(OFFLINE) <= set(rows)
        assert not set(rows) & set(SEEN)
        assert ids(county.get("/wall/cameras.json?id=p-001&id=gone-0")) == ["gone-0"]
        heads, _ = batch(county, [("p-001", "-")])
        assert heads[0]["o"] == "missing"
        assert county.get("/wall?region=130102").text.count('<li class="tile') == 0
        assert county.get("/wall/live?region=13x").status_code == 400
        assert county.http.head("/console/wall/live", timeout=10).status_code == 200
    with user(wall.address) as stranger:
        for path in ("/wall", "/wall/cameras.json", "/wall/thumbnails?id=p-001&etag=-", "/wall/live"):
            reply = stranger.get(path)
            assert (reply.status_code, reply.headers["location"][:15]) == (303, "/console/signin"), path


def events(someone: User, query: str, last_id: str = "") -> Generator[tuple[str, str, Any], None, None]:
    headers = {"Last-Event-ID": last_id} if last_id else {}
    with someone.http.stream("GET", f"/console/wall/live?{query}", headers=headers, timeout=60) as reply:
        assert reply.status_code == 200
        event: dict[str, str] = {}
        for line in reply.iter_lines():
            name, _, value = line.partition(": ")
            if not line and "data" in event:
                yield event["event"], event["id"], json.loads(event["data"])
                event = {}
            elif name:
                event[name] = value


def test_verdicts_come_live_and_a_page_that_comes_back_misses_none(wall: WallEngine, admin: User) -> None:
    stream = events(admin, "region=130102")
    assert next(stream)[0] == "begin"
    with (
        user(wall.address, wall.tokens["admin"], language="zh") as other,
        user(wall.address, wall.tokens["elsewhere"]) as county,
    ):
        chinese, foreign = events(other, "region=130102"), events(county, "")
        assert next(chinese)[0] == next(foreign)[0] == "begin"
        token = heard(stream, wall, "p-004")[1]
        row = heard(chinese, wall, "p-004")[0]
        assert (row["state"], row["word"]) == ("ok", "正常")
        stream.close()
        wall.push("p-005", picture(6))
        heard(chinese, None, "p-005")
        back = events(admin, "region=130102", token)
        assert heard(back, None, "p-005")[0]["fresh"] is True
        back.close()
        heard(foreign, wall, "p-120", "p-006")
        chinese.close()
        foreign.close()


def heard(
    stream: Iterator[tuple[str, str, Any]], wall: WallEngine | None, camera_id: str, never: str = ""
) -> tuple[Any, str]:
    """Wait for a verdict on a camera, whose picture is pushed; none may come of `never`, which is pushed before."""
    for _ in range(60):
        if wall is not None:
            if never:
                wall.push(never, picture(7))
            wall.push(camera_id, picture(5))
        name, token, rows = next(stream)
        assert name in ("verdicts", "begin")
        assert never not in [row["id"] for row in rows]
        for row in rows:
            if row["id"] == camera_id:
                return row, token
    raise AssertionError(f"no verdict on {camera_id}")


@needs_chromium
def test_an_inspector_works_the_wall_with_mouse_and_keyboard(wall: WallEngine) -> None:
    with chromium() as browser, page_of(browser, wall.address) as page:
        sign_in(page, wall.tokens["admin"])
        page.get_by_role("link", name="Wall").click()
        first = page.locator(".tile").first
        first.locator("img[src^='data:']").wait_for()
        page.locator("#wall[data-missing='0']").wait_for()
        assert "too dark" in first.inner_text()
        assert "ago" in first.locator(".age").inner_text()
        label = first.get_by_role("link").get_attribute("aria-label")
        assert all(part in label for part in ("School & 0", "Room <b>", "fault", "picture"))
        assert "of 150 cameras" in page.locator("#wall-count").inner_text()
        grey, empty = page.locator(f".tile[data-id='{OFFLINE[0]}']"), page.locator(f".tile[data-id='{OFFLINE[1]}']")
        assert "refused" in grey.inner_text()
        assert "ago" in grey.locator(".age").inner_text()
        assert grey.locator("img").evaluate("img => getComputedStyle(img).filter").startswith("grayscale(1)")
        assert "no picture kept" in empty.inner_text()

        # The keyboard: arrows move, the tiles far away are not in the page, Enter opens.
        first.get_by_role("link").focus()
        page.keyboard.press("End")
        page.locator(".tile[aria-posinset='150'] a:focus").wait_for()
        assert page.locator(".tile").count() < 120
        page.keyboard.press("Home")
        page.keyboard.press("ArrowRight")
        page.locator(".tile[aria-posinset='2'] a:focus").wait_for()
        page.keyboard.press("f")
        assert page.evaluate("document.activeElement.name") == "region"
        page.locator("select[name='state']").select_option("fault")
        page.wait_for_url("**/wall?*state=fault*")
        page.locator(".tile[aria-posinset='2'][aria-setsize='2']").wait_for()
        assert page.locator(".tile").count() == 2
        page.get_by_role("link", name="All cameras").click()
        page.wait_for_url("**/wall")

        # Live: a camera becomes dark; nothing moves before the inspector says so.
        page.goto("/console/wall?site_id=s3")
        page.get_by_text("● live").wait_for()
        assert page.locator(".tile[data-id='p-010']").get_attribute("aria-posinset") == "2"
        wall.announce({"p-010": picture(11, 0.03)}, State.FAULT)
        show = page.get_by_role("button", name="1 camera became worse: show")
        show.wait_for()
        assert page.locator(".tile[data-id='p-010']").get_attribute("aria-posinset") == "2"
        assert "too dark" in page.locator(".tile[data-id='p-010']").inner_text()
        show.click()
        page.locator(".tile.fault[data-id='p-010'][aria-posinset='1'] a:focus").wait_for()
        page.keyboard.press("Enter")
        page.wait_for_url("**/camera?id=p-010")
