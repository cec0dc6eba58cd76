"""GB/T 28181: codes taken apart, and its fields beside our columns, both ways."""

from dataclasses import replace

import pytest

from engine.errors import RegistryError
from engine.model.camera import Camera, KeyPoint
from engine.rows.gbt28181 import GB_COLUMNS, GbCode, check_names, code_of, parse_code, to_gb, to_registry_row

CAMERA, NVR, SCHOOL = "13010200001310000001", "13010200001180000001", "13010200002160000001"


def test_a_code_is_taken_apart() -> None:
    code = parse_code("13010203111327654321")
    assert code == GbCode("13010203", "11", "132", "7", "654321")
    assert (code.county, code.kind_name, str(code)) == ("130102", "network camera", "13010203111327654321")


@pytest.mark.parametrize(
    ("text", "kind"),
    [(CAMERA, "is_camera"), (NVR, "is_recorder"), (SCHOOL, "is_organisation"), (SCHOOL, "is_platform")],
)
def test_a_code_says_what_kind_of_thing_it_names(text: str, kind: str) -> None:
    code = parse_code(text)
    assert getattr(code, kind)
    others = {"is_camera", "is_recorder", "is_organisation"} - {kind}
    if kind != "is_platform":
        assert not any(getattr(code, other) for other in others)


def test_a_kind_the_standard_leaves_open_is_shown_as_its_digits() -> None:
    assert parse_code("13010200001990000001").kind_name == "kind 199"


@pytest.mark.parametrize("text", ["", "1301020000131000001", CAMERA + "1", CAMERA[:-1] + "x", "１" * 20, "0" * 20])
def test_what_is_no_code_is_refused_with_the_reason(text: str) -> None:
    with pytest.raises(ValueError, match=r"20 digits|none begins with 0"):
        parse_code(text)
    assert code_of(text) is None


def test_gb_names_become_our_columns() -> None:
    row = to_registry_row(
        {
            "gbDeviceId": CAMERA, "gbName": "烹饪间", "gbCivilCode": "130102", "gbStatus": "ON",
            "gbParentId": NVR, "url": "rtsp://h/1", "key_point": "cooking",
        }
    )  # fmt: skip
    assert row.cells == {
        "camera_id": CAMERA, "name": "烹饪间", "region": "130102", "platform_status": "ON", "uplink": NVR,
        "url": "rtsp://h/1", "key_point": "cooking",
    }  # fmt: skip
    assert (row.given["region"], row.given["uplink"], row.given["url"]) == ("gbCivilCode", "gbParentId", "url")
    assert (row.notes, row.problems) == ([], [])


def test_fields_that_are_not_kept_are_named_where_they_say_something() -> None:
    row = to_registry_row(
        {"gbDeviceId": CAMERA, "gbModel": "DS-2CD", "gbLongitude": "114.5", "gbBlock": "", "gbId": "7"}
    )
    assert row.notes == [f"{name} is not kept by the registry" for name in ("gbModel", "gbLongitude", "gbId")]


def test_a_region_the_file_does_not_have_is_that_of_the_code() -> None:
    assert to_registry_row({"gbDeviceId": CAMERA}).cells["region"] == "130102"
    assert to_registry_row({"gbDeviceId": "13010000001310000001"}).cells["region"] == "1301"
    assert to_registry_row({"gbDeviceId": CAMERA, "gbCivilCode": ""}).cells["region"] == ""


def test_a_civil_code_of_eight_digits_is_cut_to_the_county_and_that_is_said() -> None:
    row = to_registry_row({"gbDeviceId": CAMERA, "gbCivilCode": "13010203"})
    assert row.cells["region"] == "130102"
    assert row.notes == ["gbCivilCode has 8 digits, the county's 6 are kept"]


@pytest.mark.parametrize(
    ("parent", "columns"),
    [
        (NVR, {"uplink": NVR}),
        (SCHOOL, {"site_id": SCHOOL}),
        (f"{SCHOOL}/{NVR}", {"uplink": NVR, "site_id": SCHOOL}),
        (f"13010200002000000001/{NVR}", {"uplink": NVR}),
    ],
)
def test_a_parent_is_a_recorder_a_school_or_both(parent: str, columns: dict[str, str]) -> None:
    row = to_registry_row({"gbDeviceId": CAMERA, "gbParentId": parent})
    assert {name: row.cells[name] for name in ("uplink", "site_id") if name in row.cells} == columns
    assert row.notes == []


def test_a_parent_that_is_neither_is_named_and_not_kept() -> None:
    row = to_registry_row({"gbDeviceId": CAMERA, "gbParentId": "130102"})
    assert not {"uplink", "site_id"} & set(row.cells)
    assert row.notes == ["gbParentId is neither a recorder nor a virtual organisation, and not kept"]


def test_our_own_column_wins_over_what_the_parent_says() -> None:
    row = to_registry_row({"gbDeviceId": CAMERA, "gbParentId": NVR, "uplink": "10.0.0.1:554"})
    assert row.cells["uplink"] == "10.0.0.1:554"


def test_a_group_of_a_platform_is_no_camera() -> None:
    row = to_registry_row({"gbDeviceId": SCHOOL})
    assert row.problems == [
        ("gbDeviceId", SCHOOL, "is a virtual organisation (kind 216), no camera; remove the row"),
    ]


def test_an_id_that_is_no_code_is_taken_and_said() -> None:
    row = to_registry_row({"gbDeviceId": "cam-1", "url": "rtsp://h/1"})
    assert row.cells == {"camera_id": "cam-1", "url": "rtsp://h/1"}
    assert row.notes == ["gbDeviceId is no 20-digit code of GB/T 28181"]


def test_rows_under_our_names_are_left_alone() -> None:
    cells = {"camera_id": SCHOOL, "url": "rtsp://h/1", "region": "12345678"}
    row = to_registry_row(cells)
    assert row.cells == cells
    assert (row.notes, row.problems) == ([], [])


def test_a_camera_goes_out_under_gb_names_with_its_recorder_or_school_as_parent() -> None:
    camera = Camera(CAMERA, "rtsp://h/1", "灶", SCHOOL, "一中", "130102", KeyPoint.COOKING, True, NVR, "", "ON")
    row = to_gb(camera)
    assert tuple(sorted(row)) == tuple(sorted(GB_COLUMNS))
    assert [row[name] for name in ("gbDeviceId", "gbName", "gbCivilCode", "gbStatus", "gbParentId")] == [
        CAMERA, "灶", "130102", "ON", NVR,
    ]  # fmt: skip
    assert to_gb(replace(camera, uplink="10.0.0.1:554"))["gbParentId"] == SCHOOL
    assert to_gb(replace(camera, uplink="", site_id="s1"))["gbParentId"] == ""


def test_names_of_wvp_and_of_a_verdict_are_known_and_others_are_not() -> None:
    check_names(["gbDeviceId", "url", "recordPLan", "gbSvcSpaceSupportMod", "verdict_state"])
    check_names(["camera_id"], required=("camera_id",))
    with pytest.raises(RegistryError, match=r"unknown column 'gbColour'.*gbCivilCode"):
        check_names(["gbDeviceId", "url", "gbColour"])
