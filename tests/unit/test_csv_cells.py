"""No cell of a CSV file is a formula, and each comes back as it was."""

import csv
import io
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.batch.registry_files import RegistryFile, atomic_file, write_cameras
from engine.cli.commands.kpi import _write_csv
from engine.config.schema import Settings
from engine.csv_cells import CsvWriter, guarded, unguarded
from engine.interchange.camera_files import FileFormat
from engine.model.camera import Camera
from engine.model.kpi import Counts, KpiBy, KpiName, KpiRow, KpiTable, Rate
from engine.model.registry import CameraStatus

FORMULA_STARTS = tuple("=+-@\t\r\n＝＋－＠")


@given(st.text(st.sampled_from("'=+-@\t\r\n＝＋－＠a1 "), max_size=6) | st.text())
def test_a_guarded_cell_is_no_formula_and_comes_back(cell: str) -> None:
    assert not guarded(cell).startswith(FORMULA_STARTS)
    assert unguarded(guarded(cell)) == cell


@pytest.mark.parametrize("cell", ["", "a", "'", "'a", "''", "5", "校", "a=b"])
def test_other_cells_are_left_alone(cell: str) -> None:
    assert guarded(cell) == unguarded(cell) == cell


def test_numbers_stay_numbers() -> None:
    text = io.StringIO()
    CsvWriter(text).rows([[-5, -0.5, None, "-5"]])
    assert next(csv.reader([text.getvalue()])) == ["-5", "-0.5", "", "'-5"]


def test_the_registry_is_exported_without_formulas(tmp_path: Path) -> None:
    path = tmp_path / "cameras.csv"
    camera = Camera("a", "rtsp://h/1", name='=HYPERLINK("http://x")', site_name="@site", uplink="-u")
    with atomic_file(path, FileFormat.CSV, private=False) as out:
        write_cameras([CameraStatus(camera)], out, FileFormat.CSV, gb_names=False, with_verdict=False)
    with path.open(encoding="utf-8-sig", newline="") as file:
        assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(FORMULA_STARTS)]
    imported = RegistryFile(path, Settings())
    imported.check()
    assert list(imported.cameras()) == [camera]


def test_kpis_are_exported_without_formulas(tmp_path: Path) -> None:
    row = KpiRow("130102", dict.fromkeys(KpiName, Rate(0, 0)), Counts(), "=1+1", "=2+2")
    _write_csv(KpiTable(KpiBy.CANTEEN, (row,), row), tmp_path / "k.csv")
    with (tmp_path / "k.csv").open(encoding="utf-8-sig", newline="") as file:
        assert not [cell for row in csv.reader(file) for cell in row if cell.startswith(FORMULA_STARTS)]
