"""The registry's screens: lists, one more camera, an import whose bad rows are shown in place, exports."""

import csv
import io
import re
from collections.abc import Iterator
from html import unescape

import httpx
import pytest

from tests.support.web.console import User
from tests.support.web.county import ELSEWHERE_NAME, HERE, THERE, TwoCounties, two_counties

HEADER = "camera_id,url,name,region,key_point,required,hours\n"
BAD = HEADER + (
    "g1,rtsp://u:geheim@h/1,好,130102,cooking,true,\n"
    "b1,rtsp://h/2,region,13010,cooking,true,\n"
    "b2,rtsp://h/3,key point,130102,roof,true,\n"
    "b3,rtsp://h/4,flag,130102,cooking,perhaps,\n"
    "b4,ftp://u:geheim@h/5,<b>scheme</b>,130102,cooking,true,\n"
    "g1,rtsp://h/6,twice,130102,cooking,true,\n"
    "b5,rtsp://h/7,hours,130102,cooking,true,whenever\n"
    "b6,rtsp://h/8\n"
    "1.30102E+19,rtsp://h/9,spreadsheet,130102,cooking,true,\n"
    "g2,rtsp://h/10,=cmd(),130102,,,\n"
)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TwoCounties]:
    with two_counties(tmp_path_factory.mktemp("registry")) as running:
        yield running


@pytest.fixture
def operator(world: TwoCounties) -> User:
    return world.user("operator")


def upload(someone: User, text: str | bytes, name: str = "cameras.csv") -> str:
    """Send a file, and return the path of the page with what was found."""
    reply = _sent(someone, text, name)
    assert reply.status_code == 303, reply.text
    return str(reply.headers["location"]).removeprefix("/console")


def _sent(someone: User, text: str | bytes, name: str = "cameras.csv") -> httpx.Response:
    content = text.encode() if isinstance(text, str) else text
    return someone.post("/registry/import", files={"file": (name, content, "text/csv")})


def rows_of(html: str) -> dict[int, str]:
    """Return what a page of rows says of each bad line, as text."""
    found = re.findall(r'<tr class="bad"><th[^>]*>(\d+)</th>(.*?)</tr>\s*<tr>(.*?)</tr>', html, re.DOTALL)
    return {int(line): unescape(re.sub(r"<[^>]*>|\s+", " ", cells + problems)) for line, cells, problems in found}


def test_every_bad_row_is_shown_in_place_and_the_good_ones_are_stored_when_asked(
    world: TwoCounties, operator: User
) -> None:
    registry = world.served.hub.registry.cameras
    before = dict(registry)
    path = upload(operator, BAD)
    page = operator.get(path).text
    assert registry == before, "a check stores nothing"
    assert "geheim" not in page
    assert "<b>scheme" not in page
    said = rows_of(page)
    assert sorted(said) == [3, 4, 5, 6, 7, 8, 9, 10]
    for line, field, value, remedy in (
        (3, "region", "13010", "2, 4 or 6 digits"),
        (4, "key_point", "roof", "cooking"),
        (5, "required", "perhaps", "true, false"),
        (6, "url", "ftp://", "rtsp"),
        (7, "camera_id", "g1", "first in line 2"),
        (8, "hours", "whenever", "empty"),
        (9, "the row", "b6,rtsp://h/8", "add or remove commas"),
        (10, "camera_id", "1.30102E+19", "text"),
    ):
        assert field in said[line], (line, said[line])
        assert value in said[line], (line, said[line])
        assert remedy in said[line], (line, said[line])
    assert page.count('class="cell wrong"') == 7, "the wrong cells are marked"
    key = path.partition("upload=")[2]
    refused = operator.post("/registry/import/apply", {"upload": key})
    assert refused.status_code == 400
    assert registry == before
    applied = operator.post("/registry/import/apply", {"upload": key, "keep_good": "1"})
    assert applied.status_code == 200
    assert {"g1", "g2"} <= set(registry)
    assert not {f"b{n}" for n in range(1, 7)} & set(registry)
    assert registry["g1"].url == "rtsp://u:geheim@h/1"
    assert operator.post("/registry/import/apply", {"upload": key, "keep_good": "1"}).status_code == 404


def test_a_file_in_gbk_with_names_of_gb28181_is_read(world: TwoCounties, operator: User) -> None:
    text = "gbDeviceId,gbName,gbStatus,gbModel,url\n13010200001320000077,灶台,ON,X1,rtsp://h/77\n"
    page = operator.get(path := upload(operator, text.encode("gb18030"))).text
    assert "No row is bad." in page
    assert "gbModel is not kept by the registry" in page
    assert operator.post("/registry/import/apply", {"upload": path.partition("upload=")[2]}).status_code == 200
    camera = world.served.hub.registry.cameras["13010200001320000077"]
    assert (camera.name, camera.region, camera.platform_status) == ("灶台", "130102", "ON")


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"", "column &#39;camera_id&#39; is missing"),
        (b"PK\x03\x04rest", "a workbook"),
        (b"camera_id,url,colour\na,rtsp://h/1,red\n", "unknown column &#39;colour&#39;"),
        (b"camera_id,url\n", "no row below its header"),
        (b'camera_id,url\n"a,rtsp://h/1\n', "check the quotes"),
        (b"camera_id,url\n" + b"x" * 70_000, "more than 65536 characters"),
        (b"camera_id,url\n\xff\xff\n", "UTF-8 nor GB 18030"),
    ],
)
def test_a_file_that_is_no_registry_is_refused_with_the_reason(operator: User, content: bytes, what: str) -> None:
    reply = _sent(operator, content)
    assert reply.status_code == 400
    assert what in reply.text


def test_a_file_over_the_bound_is_refused(operator: User) -> None:
    assert _sent(operator, b"camera_id,url\n" + b"a,rtsp://h/1\n" * 1_700_000).status_code == 413


def test_a_long_file_is_checked_whole_and_shown_by_pages(operator: User) -> None:
    lines = "".join(f"x{n},rtsp://h/{n},{'1301' if n % 10 else 'bad'},{'食堂' * 8}\n" for n in range(30_000))
    assert len(lines.encode()) > 2_000_000, "more than is kept in memory while it comes"
    path = upload(operator, "camera_id,url,region,site_name\n" + lines)
    first = operator.get(path).text
    assert len(rows_of(first)) == 50
    assert "3,000" in first
    assert "27,000" in first
    following = re.search(r'rel="next" href="/console([^"]*)"', first)
    assert following is not None
    second = rows_of(operator.get(unescape(following[1])).text)
    assert min(second) > max(rows_of(first))


def test_only_who_has_sent_a_file_sees_it(world: TwoCounties, operator: User) -> None:
    path = upload(operator, BAD)
    for other in ("admin", "viewer", "of_here"):
        assert world.user(other).get(path).status_code == 404
        fields = {"upload": path.partition("upload=")[2], "keep_good": "1"}
        assert world.user(other).post("/registry/import/apply", fields).status_code == 404
    assert operator.get(path).status_code == 200


def test_an_import_stays_within_its_region_and_role(world: TwoCounties) -> None:
    registry = world.served.hub.registry.cameras
    before = dict(registry)
    rows = f"camera_id,url,region\nn1,rtsp://h/1,{HERE}\n130102x,rtsp://h/2,{THERE}\n"
    someone = world.user("of_here")
    path = upload(someone, rows)
    page = someone.get(path)
    assert sorted(rows_of(page.text)) == [2, 3]
    assert ELSEWHERE_NAME not in page.text
    applied = someone.post("/registry/import/apply", {"upload": path.partition("upload=")[2], "keep_good": "1"})
    assert applied.status_code == 200
    assert registry == before
    assert _sent(world.user("inspector"), rows).status_code == 403
    assert registry == before


def test_an_export_has_no_password_and_no_formula_and_is_imported_as_it_is(world: TwoCounties, operator: User) -> None:
    reply = operator.get("/registry/export.csv")
    assert reply.headers["content-type"].startswith("text/csv")
    assert "secret" not in reply.text
    rows = list(csv.DictReader(io.StringIO(reply.text.removeprefix("\ufeff"))))
    registry = world.served.hub.registry.cameras
    assert {row["camera_id"] for row in rows} == set(registry)
    assert next(row for row in rows if row["camera_id"] == "c/3%")["name"] == "'=cmd()"
    c1 = next(row for row in rows if row["camera_id"] == "c1")
    assert (c1["key_point"], c1["required"], c1["enabled"], c1["site_kind"]) == ("cooking", "true", "true", "middle")
    page = operator.get(upload(operator, reply.content)).text
    assert "No row is bad." in page


def test_an_export_and_the_lists_hold_only_the_callers_region(world: TwoCounties) -> None:
    someone = world.user("of_here")
    for path in (
        "/registry/export.csv",
        "/registry",
        "/registry?query=n1",
        "/registry?region=130203",
        "/registry/disagreement",
    ):
        reply = someone.get(path)
        assert ELSEWHERE_NAME not in reply.text
        assert "id=n1" not in reply.text
        assert "\nn1," not in reply.text


def test_the_list_is_filtered(operator: User) -> None:
    def ids(query: str) -> set[str]:
        return set(re.findall(r"/console/camera\?id=([^\"&]+)\"", operator.get(f"/registry?{query}").text))

    assert {"c1", "n1"} <= ids("")
    assert ids("region=1302") == {"n1"}
    assert ids("canteen=s9") == {"n1"}
    assert "n1" not in ids("key_point=cooking")
    assert "c1" in ids("key_point=cooking&disabled=no&push=no")
    assert ids("push=yes") == set()
    assert "No camera matches" in operator.get("/registry?push=yes").text
    assert operator.get("/registry?region=x").status_code == 400
    assert operator.get("/registry?key_point=roof").status_code == 400


def test_a_camera_is_added_once_and_a_wrong_one_is_said_beside_its_field(world: TwoCounties, operator: User) -> None:
    wrong = operator.post("/registry/add", {"camera_id": "a1", "url": "ftp://h/1", "region": "130102"})
    assert wrong.status_code == 400
    assert 'id="url" name="url" value="ftp://h/1"' in wrong.text
    assert wrong.text.count("aria-invalid") == 1
    fields = {"camera_id": "a1", "url": "rtsp://h/1", "region": "130102", "key_point": "storage", "request_id": "r1"}
    reply = operator.post("/registry/add", fields)
    assert reply.headers["location"].endswith("/camera?id=a1")
    assert operator.post("/registry/add", fields).status_code == 303, "the same form again adds nothing"
    taken = operator.post("/registry/add", {**fields, "request_id": "r2"})
    assert taken.status_code == 400
    assert "already" in taken.text
    assert world.served.hub.registry.cameras["a1"].key_point == "storage"


def test_where_platforms_disagree_both_claims_are_shown(operator: User) -> None:
    reply = operator.get("/registry/disagreement")
    assert reply.status_code == 200
    assert "compared and never trusted" in reply.text


def test_forms_are_for_operators_and_the_import_says_what_it_takes(world: TwoCounties, operator: User) -> None:
    page = operator.get("/registry/import").text
    assert 'enctype="multipart/form-data"' in page
    assert "camera_id, url, name" in page
    assert 'name="camera_id"' in operator.get("/registry/add").text
    viewer = world.user("viewer")
    assert "<input" not in viewer.get("/registry/import").text.partition("<main")[2]
    table = viewer.get("/registry").text
    assert "/console/registry/export.csv" in table
    assert "/console/registry/add" not in table
