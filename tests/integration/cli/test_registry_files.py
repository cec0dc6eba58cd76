"""Files of cameras on a real disk, into a real database and back."""

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.batch.registry import DatabaseRegistry, open_database_registry
from engine.batch.registry_files import RegistryFile, atomic_file, read_registry, write_cameras
from engine.batch.registry_preview import preview
from engine.config.schema import RecordSettings, Settings
from engine.errors import ConfigError, RegistryError
from engine.interchange.camera_files import FileFormat
from engine.interchange.stream_url import StreamUrl
from engine.model.camera import Camera
from engine.model.measurement import Scores
from engine.model.registry import CameraQuery
from engine.model.verdict import FaultKind, State, Verdict
from engine.storage.db.store import Store, VisitRecord

CAMERA, NVR = "13010200001310000001", "13010200001180000001"
CAMERAS = [
    Camera(CAMERA, "rtsp://u:secret@h/1?token=t0", "烹饪间", region="130102", uplink=NVR, platform_status="ON"),
    Camera("c2", "rtsp://h/2", region="130199"),
    Camera("c3", "", push=True),
]


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(record=RecordSettings(url=f"sqlite:///{tmp_path}/patrol.db"))


@pytest.fixture
def registry(settings: Settings) -> Iterator[DatabaseRegistry]:
    with open_database_registry(settings, create=True) as registry:
        registry.upsert(CAMERAS)
        yield registry


def export(registry: DatabaseRegistry, path: Path, *, gb_names: bool = False, with_verdict: bool = False) -> Path:
    form = FileFormat(path.suffix[1:])
    with atomic_file(path, form, private=False) as out:
        assert write_cameras(
            registry.cameras(CameraQuery()), out, form, gb_names=gb_names, with_verdict=with_verdict
        ) == len(CAMERAS)
    return path


@pytest.mark.parametrize("name", ["e.csv", "e.jsonl"])
@pytest.mark.parametrize("gb_names", [False, True])
@pytest.mark.parametrize("with_verdict", [False, True])
def test_an_export_hides_passwords_and_its_import_changes_nothing(
    registry: DatabaseRegistry, settings: Settings, tmp_path: Path, name: str, gb_names: bool, with_verdict: bool
) -> None:
    path = export(registry, tmp_path / name, gb_names=gb_names, with_verdict=with_verdict)
    text = path.read_text(encoding="utf-8")
    assert "secret" not in text
    assert "t0" not in text
    assert ("gbDeviceId" in text, "verdict_state" in text) == (gb_names, with_verdict)
    file = RegistryFile(path, settings)
    assert file.check().problems == []
    report = registry.upsert(file.cameras())
    assert (report.added, report.changed, report.unchanged) == (0, 0, len(CAMERAS))


def test_an_import_of_an_export_changes_what_was_changed_and_keeps_the_password(
    registry: DatabaseRegistry, settings: Settings, tmp_path: Path
) -> None:
    path = export(registry, tmp_path / "e.csv")
    path.write_text(path.read_text(encoding="utf-8").replace("烹饪间", "热菜间"), encoding="utf-8")
    file = RegistryFile(path, settings)
    file.check()
    report = registry.upsert(file.cameras())
    assert (report.changed, report.unchanged) == (1, 2)
    store = Store.open(settings.record.url)
    assert {camera.camera_id: camera for camera in store.registry.cameras()}[CAMERA] == replace(
        CAMERAS[0], name="热菜间"
    )
    store.close()


def test_a_password_nobody_knows_refuses_all_or_only_its_row(settings: Settings) -> None:
    rows = [Camera("a", "rtsp://h/1"), Camera("b", "rtsp://u:***@h/2")]
    with open_database_registry(settings, create=True) as registry:
        with pytest.raises(RegistryError, match=r"camera 'b' is none.*nothing was taken"):
            registry.upsert(rows)
        assert list(registry.cameras(CameraQuery())) == []
        report = registry.upsert(rows, keep_good=True)
        assert report.added == 1
        assert [(problem.index, problem.column) for problem in report.problems] == [(1, "url")]


def test_an_export_with_verdicts_says_what_the_engine_says(
    registry: DatabaseRegistry, settings: Settings, tmp_path: Path
) -> None:
    store = Store.open(settings.record.url)
    verdict = Verdict(
        "c2", 1, 1_700_000_000_000_000_000, State.FAULT, announced=State.FAULT, announced_kinds=(FaultKind.BLURRED,),
        since_wall_ns=1_600_000_000_000_000_000, scores=Scores(12.5, 90.0, None),
    )  # fmt: skip
    store.write([VisitRecord(verdict, b"")])
    store.close()
    path = export(registry, tmp_path / "e.jsonl", with_verdict=True)
    lines = {line["camera_id"]: line for line in map(json.loads, path.read_text(encoding="utf-8").splitlines())}
    said = {name[8:]: value for name, value in lines["c2"].items() if name.startswith("verdict_")}
    assert said == {
        "state": "fault", "why": "blurred", "since": "2020-09-13T12:26:40Z", "at": "2023-11-14T22:13:20Z",
        "sharpness": 12.5, "exposure": 90.0, "occlusion": None,
    }  # fmt: skip
    assert lines["c3"]["verdict_state"] == "unseen"


def test_passwords_are_in_an_export_only_where_asked_for(
    registry: DatabaseRegistry, settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "e.csv"
    with (
        open_database_registry(settings, with_passwords=True) as open_desk,
        atomic_file(path, FileFormat.CSV, private=True) as out,
    ):
        write_cameras(open_desk.cameras(CameraQuery()), out, FileFormat.CSV, gb_names=False, with_verdict=False)
    assert "secret" in path.read_text(encoding="utf-8")
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_file_that_fails_half_way_leaves_the_old_one_and_no_litter(tmp_path: Path) -> None:
    path = tmp_path / "e.csv"
    path.write_text("old")

    def fail() -> None:
        with atomic_file(path, FileFormat.CSV, private=False) as out:
            out.write("new")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        fail()
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_cannot_be_written_or_read_is_named(tmp_path: Path) -> None:
    with (
        pytest.raises(ConfigError, match=r"nowhere/e\.csv"),
        atomic_file(tmp_path / "nowhere/e.csv", FileFormat.CSV, private=False),
    ):
        pass
    with pytest.raises(ConfigError, match=r"absent\.csv: No such file"):
        RegistryFile(tmp_path / "absent.csv", Settings()).check()


def test_columns_of_a_problem_are_named_as_the_file_names_them(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text(f"gbDeviceId,gbName,gbCivilCode,url\n{CAMERA},x,1,ftp://h/1\n13010200002150000001,,,\n")
    report = RegistryFile(path, Settings()).check()
    assert [(problem.line, problem.column) for problem in report.problems] == [
        (2, "url"),
        (2, "gbCivilCode"),
        (3, "gbDeviceId"),
    ]
    assert report.good == 0


def test_regions_hebei_does_not_have_and_what_is_not_kept_are_noted(tmp_path: Path) -> None:
    path = tmp_path / "g.jsonl"
    rows = [
        {"gbDeviceId": CAMERA, "url": "rtsp://h/1", "gbCivilCode": "130199", "gbModel": "DS"},
        {"gbDeviceId": CAMERA[:-1] + "2", "url": "rtsp://h/2", "gbCivilCode": "330102", "gbModel": "DS"},
    ]
    path.write_text("\n".join(map(json.dumps, rows)))
    report = RegistryFile(path, Settings()).check()
    assert report.notes == {"region 130199 is not in the table of Hebei": 1, "gbModel is not kept by the registry": 2}
    assert (report.good, report.problems) == (2, [])


def test_rows_without_a_url_get_that_of_the_platform(tmp_path: Path) -> None:
    path = tmp_path / "g.csv"
    path.write_text(f"gbDeviceId,gbParentId\n{CAMERA},{NVR}\n{CAMERA[:-1]}2,\n")
    file = RegistryFile(path, Settings(), StreamUrl("rtsp://m:554/rtp/{parent_id}_{camera_id}"))
    (problem,) = file.check().problems
    assert (problem.line, problem.column) == (3, "url")
    assert "--stream-url" in problem.message
    (camera,) = file.cameras()
    assert (camera.url, camera.uplink) == (f"rtsp://m:554/rtp/{NVR}_{CAMERA}", NVR)


@pytest.mark.parametrize("template", ["rtsp://m/1", "rtsp://u:secret@m/{channel}", "rtsp://m/{camera_id}/{}"])
def test_a_stream_url_that_cannot_be_filled_is_refused(template: str) -> None:
    with pytest.raises(ConfigError, match=r"\{camera_id\}") as caught:
        StreamUrl(template)
    assert "secret" not in str(caught.value)


def test_a_file_that_changes_between_looking_and_taking_is_not_taken(settings: Settings, tmp_path: Path) -> None:
    path = tmp_path / "c.csv"
    path.write_text("camera_id,url\na,rtsp://h/1\n")
    file = RegistryFile(path, settings)
    assert file.check().good == 1
    path.write_text("camera_id,url\na,rtsp://h/1\nb,rtsp://h/2\n")
    os.utime(path, ns=(1, 1))
    with open_database_registry(settings, create=True) as registry:
        with pytest.raises(RegistryError, match="changed while it was read"):
            registry.upsert(file.cameras())
        assert list(registry.cameras(CameraQuery())) == []


def test_a_whole_file_can_be_had_at_once(tmp_path: Path) -> None:
    path = tmp_path / "c.txt"
    path.write_text("camera_id,url\na,rtsp://h/1\nb,x\n")
    cameras, problems = read_registry(path, Settings())
    assert cameras == [Camera("a", "rtsp://h/1")]
    assert [problem.line for problem in problems] == [3]


def test_ids_that_a_spreadsheet_has_spoilt_are_bad_rows_and_rounded_ones_are_noted(
    settings: Settings, tmp_path: Path
) -> None:
    path = tmp_path / "excel.csv"
    path.write_text(
        f"gbDeviceId,url,gbParentId\n{CAMERA},rtsp://h/1,1.30102E+19\n1.30102E+19,rtsp://h/2,\n{CAMERA[:-1]}0,rtsp://h/3,\n"
    )
    report = RegistryFile(path, settings).check()
    assert [(row.line, row.column, row.value) for row in report.problems] == [
        (2, "gbParentId", "1.30102E+19"), (3, "gbDeviceId", "1.30102E+19"),
    ]  # fmt: skip
    assert "as text" in report.problems[1].message
    assert sum("as if a spreadsheet had rounded it" in note for note in report.notes) == 1


def test_a_preview_names_each_change_and_a_comparison_counts_them(registry: DatabaseRegistry) -> None:
    rows = [
        replace(CAMERAS[0], url="rtsp://u:***@h/1?token=***", name="热菜间"),
        CAMERAS[1],
        Camera("new", "rtsp://h/9"),
    ]
    changes = list(preview(registry, rows))
    assert [(change.camera.camera_id, change.is_new, change.columns) for change in changes] == [
        (CAMERA, False, (("name", "烹饪间", "热菜间"),)), ("new", True, ()),
    ]  # fmt: skip
    report = registry.upsert(rows, dry_run=True)
    assert (report.added, report.changed, report.unchanged) == (1, 1, 1)
    assert {status.camera.name for status in registry.cameras(CameraQuery())} == {"烹饪间", ""}
