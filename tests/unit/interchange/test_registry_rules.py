"""The registry's rules: every bad row is named with what is allowed, and passwords come back or are asked for."""

from dataclasses import replace
from typing import Any

import pytest

from engine.feed.camera_url import check_url
from engine.interchange.registry_rules import RowReader, check_cameras, restore_passwords, was_rounded
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.registry import RowProblem


def allow(url: str) -> None:
    check_url(url, ("rtsp", "http"))


GOOD = Camera(
    "c1", "rtsp://u:p@10.0.0.1/1", "灶台", "s1", "一中食堂", "130102", KeyPoint.COOKING, True, site_kind=SiteKind.MIDDLE
)


def read(**cells: str) -> tuple[Camera, list[RowProblem]]:
    return RowReader(allow).read({"camera_id": "a", "url": "rtsp://h/1"} | cells, 4, 7)


def test_cells_that_are_missing_or_empty_take_their_defaults() -> None:
    assert read() == (Camera("a", "rtsp://h/1"), [])
    assert read(enabled="", key_point="", required="", site_kind="", name="") == (Camera("a", "rtsp://h/1"), [])


def test_words_become_what_they_say() -> None:
    camera, problems = read(required="是", push="No", enabled="0", key_point="cooking", site_kind="middle")
    assert problems == []
    assert (camera.required, camera.push, camera.enabled) == (True, False, False)
    assert (camera.key_point, camera.site_kind) == (KeyPoint.COOKING, SiteKind.MIDDLE)


@pytest.mark.parametrize(
    ("cells", "allowed"),
    [
        ({"url": "ftp://h/1"}, "allowed: rtsp, http"),
        ({"url": "rtsp:///1"}, "names no host"),
        ({"url": "rtsp://h:99999/1"}, "port"),
        ({"url": ""}, "printable"),
        ({"camera_id": ""}, "1 to 64"),
        ({"camera_id": "x" * 65}, "1 to 64"),
        ({"region": "123"}, "2, 4 or 6 digits"),
        ({"key_point": "kitchen"}, "cooking"),
        ({"hours": "25:00-26:00"}, "HH:MM-HH:MM"),
        ({"site_kind": "school"}, "kindergarten, primary, middle, high, vocational, university, other"),
        ({"required": "perhaps"}, "true, false, 1, 0, yes, no, 是, 否"),
        ({"name": "x" * 201}, "at most 200 printable characters"),
        ({"name": "a\tb"}, "at most 200 printable characters"),
        ({"site_name": " 一中"}, "no blank at either end"),
    ],
)
def test_a_bad_row_is_named_with_line_column_value_and_what_is_allowed(cells: dict[str, str], allowed: str) -> None:
    _, (problem,) = read(**cells)
    assert (problem.index, problem.line) == (4, 7)
    assert {problem.column: problem.value} == {name: cell[:80] for name, cell in cells.items()}
    assert allowed in problem.message


def test_all_that_is_wrong_with_a_row_is_named_at_once() -> None:
    _, problems = read(url="ftp://h/1", region="1", key_point="kitchen")
    assert {problem.column for problem in problems} == {"url", "region", "key_point"}


def test_a_row_that_stands_twice_names_the_first() -> None:
    rows = RowReader(allow)
    assert rows.read({"camera_id": "a", "url": "rtsp://h/1"}, 0, 2)[1] == []
    _, (problem,) = rows.read({"camera_id": "a", "url": "rtsp://h/2"}, 1, 3)
    assert (problem.line, problem.column) == (3, "camera_id")
    assert "line 2" in problem.message


def test_passwords_of_bad_rows_are_not_repeated() -> None:
    _, (problem,) = read(url="ftp://me:secret@h/1")
    assert "secret" not in problem.value + problem.message


def test_cameras_that_come_as_values_are_checked_alike() -> None:
    problems = check_cameras([GOOD, Camera("", "rtsp://h/1"), GOOD], allow)
    assert [(problem.index, problem.column) for problem in problems] == [(1, "camera_id"), (2, "camera_id")]


def test_a_password_that_was_taken_out_comes_back() -> None:
    urls = {"a": ("rtsp://u:p@h/1?token=t", ""), "b": ("rtsp://u:q@h/2", "")}
    masked = [Camera("a", "rtsp://u:***@h/1?token=***", "new name"), Camera("c", "rtsp://h/3")]
    restored, problems = restore_passwords(masked, urls)
    assert restored == [replace(masked[0], url="rtsp://u:p@h/1?token=t"), masked[1]]
    assert problems == []


@pytest.mark.parametrize(
    ("camera_id", "url"), [("zz", "rtsp://u:***@h/1"), ("a", "rtsp://u:***@evil/1"), ("a", "rtsp://v:***@h/1")]
)
def test_a_password_is_never_given_to_another_place(camera_id: str, url: str) -> None:
    restored, (problem,) = restore_passwords([Camera(camera_id, url)], {"a": ("rtsp://u:p@h/1", "")})
    assert restored == [Camera(camera_id, url)]
    assert (problem.index, problem.column, problem.value) == (0, "url", url)
    assert camera_id in problem.message


def test_a_url_with_three_asterisks_of_its_own_stays_what_it_is() -> None:
    camera = Camera("a", "rtsp://h/***/1")
    assert restore_passwords([camera], {"a": (camera.url, "")}) == ([camera], [])


def test_the_passwords_of_both_streams_come_back_each_to_its_own() -> None:
    urls = {"a": ("rtsp://u:p@h/1", "rtsp://u:q@h/2")}
    masked = Camera("a", "rtsp://u:***@h/1", sub_url="rtsp://u:***@h/2")
    assert restore_passwords([masked], urls) == ([Camera("a", "rtsp://u:p@h/1", sub_url="rtsp://u:q@h/2")], [])
    exchanged = Camera("a", "rtsp://u:p@h/1", sub_url="rtsp://u:***@h/1")
    restored, (problem,) = restore_passwords([exchanged], urls)
    assert (restored, problem.column, problem.value) == ([exchanged], "sub_url", "rtsp://u:***@h/1")


@pytest.mark.parametrize(
    ("camera", "said"),
    [
        (Camera("a", "rtsp://h/1", sub_url="ftp://h/2"), "scheme 'ftp'"),
        (Camera("a", "rtsp://h/1", sub_url="rtsp://h/1"), "another URL than that of the main stream"),
        (Camera("a", "rtsp://h/1", sub_url="rtsp://evil/2"), "on the host of the main one, 'h'"),
        (Camera("a", "rtsp://h/1", push=True, sub_url="rtsp://h/2"), "empty with push"),
        (Camera("a", "rtsp://h/1", sub_url="rtsp://u:secret@evil/2"), "rtsp://u:***@evil/2"),
    ],
)
def test_a_sub_stream_is_on_the_host_of_the_main_one(camera: Camera, said: str) -> None:
    (problem,) = check_cameras([camera], allow)
    assert problem.column == "sub_url"
    assert said in problem.value + problem.message
    assert "secret" not in problem.value + problem.message


def test_a_sub_stream_may_have_another_port_and_scheme() -> None:
    assert check_cameras([Camera("a", "rtsp://u:p@H/1", sub_url="http://h:8080/sub.flv")], allow) == []


@pytest.mark.parametrize("column", ["camera_id", "site_id", "uplink"])
@pytest.mark.parametrize(
    ("value", "why"),
    [
        ("1.30102E+19", "made a number"),
        ("1.30102e19", "made a number"),
        ("1E+19", "made a number"),
        ("1.3010200001310001e+19", "made a number"),
        ("'13010200001310000001", "mark for text"),
        ('="13010200001310000001"', "mark for text"),
    ],
)
def test_an_id_that_a_spreadsheet_has_spoilt_is_refused(column: str, value: str, why: str) -> None:
    cells: dict[str, Any] = {column: value}
    _, (problem,) = read(**cells)
    assert (problem.column, problem.value, problem.line) == (column, value, 7)
    assert why in problem.message
    camera = replace(Camera("a", "rtsp://h/1"), **cells)
    assert [found.column for found in check_cameras([camera], allow)] == [column]


@pytest.mark.parametrize("value", ["13010200001310000001", "1e5", "E+19", "cam.1", "3E12", "1.5", "a=b"])
def test_ids_that_only_remind_of_numbers_are_good(value: str) -> None:
    assert read(camera_id=value, uplink=value, site_id=value)[1] == []


def test_an_id_twice_with_its_end_gone_says_who_may_have_rounded_it() -> None:
    rows, rounded = RowReader(allow), "13010200001310000000"
    assert was_rounded(rounded)
    assert not was_rounded("13010200001310000001")
    rows.read({"camera_id": rounded, "url": "rtsp://h/1"}, 0, 2)
    _, (problem,) = rows.read({"camera_id": rounded, "url": "rtsp://h/2"}, 1, 3)
    assert "first in line 2" in problem.message
    assert "a spreadsheet has rounded them" in problem.message
