"""Whatever the registry admits survives every form of file, under either names."""

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.batch.registry_files import RegistryFile, atomic_file, write_cameras
from engine.config.schema import Settings
from engine.feed.camera_url import check_url
from engine.interchange.camera_files import FileFormat
from engine.interchange.registry_rules import check_cameras
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.registry import CameraStatus
from engine.rows.cells import spreadsheet_problem

CODES = ("13010200001310000001", "13010200001180000001", "13010200002160000001", "13010200001180000001/x")
printable = st.characters(exclude_categories=("Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp", "Zs")) | st.sampled_from(' ,"')
formulas = st.sampled_from(["=1+1", "'=1", "''@a", "-2", "+3", "@x", "＝1", "'a"])
words = st.text(printable, max_size=12).map(str.strip) | st.sampled_from(CODES) | formulas
ids = words.filter(lambda text: not spreadsheet_problem(text))
cameras = st.builds(
    Camera,
    camera_id=st.text(printable, min_size=1, max_size=20)
    .map(str.strip)
    .filter(bool)
    .filter(lambda text: not spreadsheet_problem(text))
    | st.sampled_from(CODES[:2]),
    url=st.sampled_from(["rtsp://u:p@h/1?a=1,2", "rtsp://h:554/路", 'rtsp://h/"1"']),
    name=words,
    site_id=ids,
    site_name=words,
    region=st.sampled_from(["", "13", "1301", "130100", "130102", "133100"]),
    key_point=st.sampled_from(KeyPoint),
    required=st.booleans(),
    uplink=ids,
    hours=st.sampled_from(["", "06:00-19:00", "22:00-04:00"]),
    platform_status=words,
    sub_url=st.sampled_from(["", "rtsp://u:p@h/2?a=1,2", "rtsp://h:8554/次"]),
    push=st.booleans(),
    enabled=st.booleans(),
    site_kind=st.sampled_from(SiteKind),
).map(lambda camera: replace(camera, sub_url="") if camera.push else camera)


@pytest.mark.parametrize("form", FileFormat)
@pytest.mark.parametrize("gb_names", [False, True])
@settings(max_examples=60, deadline=None)
@given(rows=st.lists(cameras, max_size=5, unique_by=lambda camera: camera.camera_id))
def test_a_registry_comes_back_from_a_file_as_it_was(
    form: FileFormat, gb_names: bool, rows: list[Camera], tmp_path_factory: pytest.TempPathFactory
) -> None:
    assert check_cameras(rows, lambda url: check_url(url, ("rtsp",))) == []
    path = Path(tmp_path_factory.getbasetemp()) / f"cameras.{form}"
    with atomic_file(path, form, private=False) as out:
        write_cameras(map(CameraStatus, rows), out, form, gb_names=gb_names, with_verdict=True)
    file = RegistryFile(path, Settings())
    assert file.check().problems == []
    assert list(file.cameras()) == rows
