"""The screens of a camera and its canteen: what they show, what may be done by whom, and whom they keep out."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from typing import Any

import pytest

from tests.support.web.console import User
from tests.support.web.county import ELSEWHERE_NAME, HOSTILE, TwoCounties, sent_by, two_counties
from tests.support.web.forms import form_fields


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoCounties]:
    with two_counties(tmp_path_factory.mktemp("camera")) as running:
        yield running


@pytest.fixture
def operator(world: TwoCounties) -> User:
    return world.user("operator")


def camera(world: TwoCounties, camera_id: str) -> Any:
    return world.served.hub.registry.cameras[camera_id]


def test_a_camera_is_shown_with_all_that_is_known_of_it(world: TwoCounties) -> None:
    someone = world.user("viewer")
    page = someone.get("/camera?id=c1").text
    for part in (
        "灶台",
        "第一中学食堂",
        "cooking",
        "frozen",
        "blurred",
        "rtsp://***@h/1",
        "nvr-1",
        "mon-fri 05:30-13:30",
    ):
        assert part in page or part.replace("***@", "u:***@") in page, part
    assert "/console/finding?finding=1" in page
    assert ">so<" in page, "the plan's sentence"
    assert "blurred; before: ok" in page, "the story"
    assert "ON" in page, "the platform's claim"
    assert "secret" not in page
    assert "/camera/check" not in page, "a viewer has no button to check"
    assert "/camera/edit" not in page


def test_it_is_in_chinese_too(world: TwoCounties) -> None:
    someone = world.user("operator", "zh")
    page = someone.get("/camera?id=c1").text
    assert 'lang="zh-CN"' in page
    assert "立即巡查" in page
    assert "画面冻结" in page


@pytest.mark.parametrize(
    "path", ["/camera?id=c2", "/canteen?id=s1", "/camera?id=c/3%25", "/registry", "/camera/edit?id=c2"]
)
def test_a_hostile_name_is_text(world: TwoCounties, path: str) -> None:
    someone = world.user("operator")
    reply = someone.get(path)
    assert reply.status_code == 200, reply.text
    assert "<script>alert" not in reply.text
    assert "&lt;script&gt;alert(1)" in reply.text
    assert "{{ 7*7 }}" in reply.text


def test_a_form_sends_only_what_the_user_has_changed(world: TwoCounties, operator: User) -> None:
    fields = sent_by(operator, "/camera/edit?id=c1", "/camera/edit")
    assert "***" in fields["url"]
    world.served.hub.put(replace(camera(world, "c1"), uplink="nvr-2"))  # somebody else, meanwhile
    reply = operator.post("/camera/edit", {**fields, "display_name": "烹饪间"})
    assert reply.status_code == 303, reply.text
    after = camera(world, "c1")
    assert (after.name, after.uplink, after.url) == ("烹饪间", "nvr-2", "rtsp://u:secret@h/1")


def test_every_field_can_be_edited(world: TwoCounties, operator: User) -> None:
    fields = sent_by(operator, "/camera/edit?id=c2", "/camera/edit")
    wanted = {
        "display_name": "二号", "url": "rtsp://v:other@h/22", "site_id": "s2", "site_name": "二中", "region": "130102",
        "uplink": "nvr-9", "hours": "mon 06:00-07:00", "platform_status": "OFF", "key_point": "storage",
        "sub_url": "rtsp://v:other@h/23",
        "site_kind": "high", "required": "1", "disabled": "1",
    }  # fmt: skip
    assert operator.post("/camera/edit", {**fields, **wanted}).status_code == 303
    after = camera(world, "c2")
    assert (after.name, after.url, after.site_id, after.site_name) == ("二号", "rtsp://v:other@h/22", "s2", "二中")
    assert (after.uplink, after.hours, after.platform_status) == ("nvr-9", "mon 06:00-07:00", "OFF")
    assert (after.key_point, after.site_kind, after.required, after.enabled) == ("storage", "high", True, False)
    assert after.sub_url == "rtsp://v:other@h/23"
    back = form_fields(operator.get("/camera/edit?id=c2").text, "/console/camera/edit")
    assert "other" not in back["url"] + back["sub_url"]
    assert "rtsp://v:***@h/23" in operator.get("/camera?id=c2").text
    cleared = {name: value for name, value in back.items() if name not in ("required", "disabled")}
    cleared |= {"display_name": HOSTILE, "site_id": "s1", "hours": ""}
    assert operator.post("/camera/edit", cleared).status_code == 303
    after = camera(world, "c2")
    assert (after.required, after.enabled, after.hours, after.url) == (False, True, "", "rtsp://v:other@h/22")
    assert after.sub_url == "rtsp://v:other@h/23"


def test_what_is_wrong_is_said_beside_its_field_and_what_was_typed_stays(world: TwoCounties, operator: User) -> None:
    before = camera(world, "c1")
    fields = sent_by(operator, "/camera/edit?id=c1", "/camera/edit")
    reply = operator.post("/camera/edit", {**fields, "hours": "whenever", "display_name": "not kept"})
    assert reply.status_code == 400
    assert 'id="hours" name="hours" value="whenever"' in reply.text
    assert "aria-invalid" in reply.text
    assert camera(world, "c1") == before
    again = form_fields(reply.text, "/console/camera/edit")
    assert again["was_hours"] == before.hours, "what was shown first still tells what was changed"
    assert (
        operator.post("/camera/edit", {**again, "hours": before.hours, "display_name": before.name}).status_code == 303
    )


def test_a_pause_has_a_reason_and_an_end_and_is_ended(world: TwoCounties, operator: User) -> None:
    pauses = world.served.hub.pauses
    assert operator.post("/camera/pause", {"id": "c1", "reason": " "}).status_code == 400
    assert operator.post("/camera/pause", {"id": "c1", "reason": "r", "end": "tomorrow"}).status_code == 400
    assert pauses == {}
    reply = operator.post("/camera/pause", {"id": "c1", "reason": "装修", "end": "2099-01-02T03:04"})
    assert reply.headers["location"].endswith("&done=paused")
    (status,) = pauses.values()
    assert (status.pause.reason, status.pause.scope.value) == ("装修", "c1")
    assert status.pause.until_wall_ns > 0
    assert operator.post("/camera/resume", {"id": "c1"}).status_code == 303
    assert pauses == {}
    again = operator.post("/camera/resume", {"id": "c1"})
    assert again.status_code == 404
    assert "not paused" in again.text


def test_a_camera_is_deleted_only_with_its_id_typed(world: TwoCounties, operator: User) -> None:
    assert operator.post("/registry/add", {"camera_id": "c8", "url": "rtsp://h/8"}).status_code == 303
    assert "c8" in operator.get("/camera/delete?id=c8").text
    assert operator.post("/camera/delete", {"id": "c8", "typed": "c9"}).status_code == 400
    assert "c8" in world.served.hub.registry.cameras
    deleted = operator.post("/camera/delete", {"id": "c8", "typed": "c8"})
    assert deleted.headers["location"] == "/console/registry?deleted=c8"
    assert "c8" not in world.served.hub.registry.cameras


def test_a_baseline_is_reset_after_a_question(operator: User) -> None:
    question = operator.get("/camera/reset?id=c1")
    assert "cannot be undone" in question.text
    assert operator.post("/camera/reset", {"id": "c1"}).status_code == 303


def test_figures_are_data_for_plots_and_a_table(world: TwoCounties) -> None:
    someone = world.user("viewer")
    data = someone.get("/camera/figures.json?id=c1").json()
    table = someone.get("/camera/figures?id=c1").text
    assert len(data["times"]) == len(data["sharpness"]) == len(data["usual"]) == len(data["states"]) == 2
    assert data["sharpness"] == [1.5, 1.5]
    assert data["exposure"] == [None, None]
    assert data["occlusion"] == [3.0, 3.0]
    assert data["states"] == ["fault", "fault"]
    assert data["times"] == sorted(data["times"])
    assert table.count("<tr>") == 3


@pytest.mark.parametrize(
    ("path", "fields", "least"),
    [
        ("/camera/check", {"id": "c1"}, "inspector"),
        ("/camera/edit", {"id": "c1", "display_name": "x"}, "operator"),
        ("/camera/pause", {"id": "c1", "reason": "x"}, "operator"),
        ("/camera/resume", {"id": "c1"}, "operator"),
        ("/camera/reset", {"id": "c1"}, "operator"),
        ("/camera/delete", {"id": "c1", "typed": "c1"}, "operator"),
        ("/canteen/edit", {"id": "s1", "address": "x"}, "operator"),
        ("/registry/add", {"camera_id": "c7", "url": "rtsp://h/7"}, "operator"),
    ],
)
def test_who_may_do_less_is_refused(world: TwoCounties, path: str, fields: dict[str, str], least: str) -> None:
    below = {"inspector": "viewer", "operator": "inspector"}[least]
    before = dict(world.served.hub.registry.cameras)
    someone = world.user(below)
    assert someone.post(path, fields).status_code == 403
    assert world.served.hub.registry.cameras == before


ELSEWHERE: list[tuple[str, dict[str, str] | None]] = [
    ("/camera?id=n1", None),
    ("/camera/now?id=n1", None),
    ("/camera/figures?id=n1", None),
    ("/camera/figures.json?id=n1", None),
    ("/camera/edit?id=n1", None),
    ("/camera/reset?id=n1", None),
    ("/camera/delete?id=n1", None),
    ("/canteen?id=s9", None),
    ("/canteen/edit?id=s9", None),
    ("/camera?id=N1", None),
    ("/camera?id=../cameras/n1", None),
    ("/pictures/camera.jpg?id=n1", None),
    ("/camera/check", {"id": "n1"}),
    ("/camera/edit", {"id": "n1", "display_name": "mine"}),
    ("/camera/edit", {"id": "n1", "region": "130102"}),
    ("/camera/pause", {"id": "n1", "reason": "x"}),
    ("/camera/resume", {"id": "n1"}),
    ("/camera/reset", {"id": "n1"}),
    ("/camera/delete", {"id": "n1", "typed": "n1"}),
    ("/canteen/edit", {"id": "s9", "address": "mine"}),
]


@pytest.mark.parametrize(("path", "fields"), ELSEWHERE, ids=[f"{path} {fields or ''}" for path, fields in ELSEWHERE])
def test_a_county_gets_at_no_camera_of_another(world: TwoCounties, path: str, fields: dict[str, str] | None) -> None:
    hub = world.served.hub
    before = dict(hub.registry.cameras), dict(hub.pauses), list(hub.checked)
    someone = world.user("of_here")
    reply = someone.get(path) if fields is None else someone.post(path, fields)
    assert reply.status_code == 404, reply.text
    assert ELSEWHERE_NAME not in reply.text
    assert (dict(hub.registry.cameras), dict(hub.pauses), list(hub.checked)) == before


def test_a_canteen_without_an_id_is_found_by_region_and_name(operator: User) -> None:
    link = re.search(r'href="/console(/canteen\?id=[^"]*)"', operator.get("/camera?id=c/3%25").text)
    assert link is not None
    page = operator.get(unescape(link[1])).text
    assert "/console/camera?id=c%2F3%25" in page
    assert "/console/camera?id=c1" not in page


def test_a_canteen_shows_its_cameras_and_what_nobody_sees(world: TwoCounties, operator: User) -> None:
    fields = sent_by(operator, "/canteen/edit?id=s1", "/canteen/edit")
    phone = "0311-8600 0000"
    wanted = {"address": "中山路 1 号", "contact_name": "值班", "contact_phone": phone}
    wanted |= {"latitude": "38.04", "longitude": "114.5"}
    assert operator.post("/canteen/edit", {**fields, **wanted}).status_code == 303
    page = operator.get("/canteen?id=s1").text
    for part in (
        "/console/camera?id=c1",
        "/console/camera?id=c2",
        "中山路 1 号",
        "0311-8600 0000",
        "no camera",
        "not seen",
    ):
        assert part in page, part
    assert "/console/finding?finding=1" in page
    viewer = world.user("viewer")
    assert phone not in viewer.get("/canteen?id=s1").text
    wrong = operator.post("/canteen/edit", {**wanted, "id": "s1", "latitude": "north", "contact_phone": "ask <b>"})
    assert wrong.status_code == 400
    assert "&#39;north&#39;; allowed" in wrong.text
    refused = operator.post("/canteen/edit", {**wanted, "id": "s1", "contact_phone": "ask <b>"})
    assert refused.status_code == 400
    assert 'id="contact_phone"' in refused.text
    assert "<b>" not in refused.text.partition("<form")[2].partition("</form>")[0].replace("&lt;b&gt;", "")
