"""CSV import: every bad row is named, the good ones survive."""

import pytest

from engine.errors import RegistryError
from engine.feed.source import check_url
from engine.record.registry import check_cameras, decode_csv, read_csv, write_csv
from engine.types import Camera, KeyPoint, SiteKind


def allow(url: str) -> None:
    check_url(url, ("rtsp", "http"))


GOOD = Camera(
    "c1", "rtsp://u:p@10.0.0.1/1", "灶台", "s1", "一中食堂", "130102", KeyPoint.COOKING, True, site_kind=SiteKind.MIDDLE
)


def test_a_registry_survives_the_way_through_csv() -> None:
    cameras = [GOOD, Camera("c2", "", push=True, enabled=False, name='with, "quotes"\tand')]
    assert read_csv(write_csv([GOOD]), allow).cameras == (GOOD,)
    assert read_csv(write_csv(cameras[:1]), allow).problems == ()


def test_columns_may_come_in_any_order_and_some_may_miss() -> None:
    got = read_csv("url,camera_id\nrtsp://h/1,a\n", allow)
    assert got.cameras == (Camera("a", "rtsp://h/1"),)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_files_as_excel_writes_them_are_understood(encoding: str) -> None:
    text = "camera_id,url,name,required\r\na,rtsp://h/1,灶台,是\r\n"
    (camera,) = read_csv(decode_csv(text.encode(encoding)), allow).cameras
    assert (camera.name, camera.required) == ("灶台", True)


@pytest.mark.parametrize(
    ("row", "column", "allowed"),
    [
        ("a,ftp://h/1,,,,", "url", "allowed: rtsp, http"),
        ("a,rtsp:///1,,,,", "url", "names no host"),
        ("a,rtsp://h:99999/1,,,,", "url", "port"),
        ("a,,,,,", "url", "printable"),
        (",rtsp://h/1,,,,", "camera_id", "1 to 64"),
        (f"{'x' * 65},rtsp://h/1,,,,", "camera_id", "1 to 64"),
        ("a,rtsp://h/1,123,,,", "region", "2, 4 or 6 digits"),
        ("a,rtsp://h/1,,kitchen,,", "key_point", "cooking"),
        ("a,rtsp://h/1,,,25:00-26:00,", "hours", "HH:MM-HH:MM"),
        ("a,rtsp://h/1,,,,school", "site_kind", "kindergarten, primary, middle, high, vocational, university, other"),
    ],
)
def test_a_bad_row_is_named_with_line_column_value_and_what_is_allowed(row: str, column: str, allowed: str) -> None:
    text = f"camera_id,url,region,key_point,hours,site_kind\nok,rtsp://h/0,,,,\n{row}\n"
    got = read_csv(text, allow)
    assert [camera.camera_id for camera in got.cameras] == ["ok"]
    (problem,) = got.problems
    assert (problem.line, problem.column) == (3, column)
    assert allowed in problem.message


def test_a_row_that_stands_twice_names_the_first() -> None:
    (problem,) = read_csv("camera_id,url\na,rtsp://h/1\na,rtsp://h/2\n", allow).problems
    assert (problem.line, problem.column) == (3, "camera_id")
    assert "line 2" in problem.message


def test_line_numbers_hold_where_a_cell_has_a_line_break() -> None:
    got = read_csv('camera_id,url,region\n"a","rtsp://h/1",""\nb,"rtsp://h/\n2",\nc,rtsp://h/3,x\n', allow)
    assert [(problem.line, problem.column) for problem in got.problems] == [(3, "url"), (5, "region")]


def test_passwords_of_bad_rows_are_not_repeated() -> None:
    (problem,) = read_csv("camera_id,url\na,ftp://me:secret@h/1\n", allow).problems
    assert "secret" not in problem.value + problem.message


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "'camera_id' is missing"),
        ("camera_id\n", "'url' is missing"),
        ("camera_id,url,colour\n", "unknown column 'colour'"),
        ("camera_id,url,url\n", "stands twice"),
        ('camera_id,url\n"a,rtsp://h/1\n', "not CSV"),
    ],
)
def test_a_header_that_cannot_be_used_refuses_the_file(text: str, what: str) -> None:
    with pytest.raises(RegistryError, match="line"):
        read_csv(text, allow)
    with pytest.raises(RegistryError) as caught:
        read_csv(text, allow)
    assert what in str(caught.value)


def test_a_row_with_too_few_cells_is_named() -> None:
    (problem,) = read_csv("camera_id,url\na\n", allow).problems
    assert "1 cells, the header has 2" in problem.message


def test_cameras_that_come_as_values_are_checked_alike() -> None:
    problems = check_cameras([GOOD, Camera("", "rtsp://h/1"), GOOD], allow)
    assert [(problem.index, problem.column) for problem in problems] == [(1, "camera_id"), (2, "camera_id")]
