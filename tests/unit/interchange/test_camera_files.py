"""CSV and JSON Lines, a row at a time: lines are counted, what cannot be read is named, memory is bounded."""

import codecs
import io
from pathlib import Path

import pytest

from engine.errors import RegistryError
from engine.interchange import camera_files
from engine.interchange.camera_files import FileFormat, RowWriter, format_of, read_rows
from engine.rows.csv_rows import FileRow, detect_encoding
from engine.rows.gbt28181 import check_names


def rows(text: str, form: FileFormat = FileFormat.CSV) -> list[FileRow]:
    return list(read_rows(io.StringIO(text, newline=""), form, check_names))


def test_csv_cells_come_under_the_names_of_the_header() -> None:
    assert rows("url, camera_id\r\nrtsp://h/1, a \r\n") == [
        FileRow(0, 2, {"url": "rtsp://h/1", "camera_id": "a"}),
    ]


def test_line_numbers_hold_where_a_cell_has_a_line_break() -> None:
    got = rows('camera_id,url\n"a","rtsp://h/1"\nb,"rtsp://h/\n2"\n\nc,rtsp://h/3\n')
    assert [(row.line, row.cells["camera_id"]) for row in got] == [(2, "a"), (3, "b"), (6, "c")]


def test_a_csv_row_with_too_few_cells_is_named_without_its_password() -> None:
    (row,) = rows("camera_id,url,name\na,rtsp://u:secret@h/1\n")
    assert row.cells == {}
    assert row.problem == ("", "a,rtsp://u:***@h/1", "2 cells, the header has 3; add or remove commas")


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("", "column 'camera_id' is missing"),
        ("camera_id\n", "column 'url' is missing"),
        ("camera_id,url,colour\n", "unknown column 'colour'"),
        ("camera_id,url,url\n", "column 'url' appears twice"),
        ("camera_id,gbDeviceId,url\n", "column 'camera_id' appears twice"),
        ('camera_id,url\n"a,rtsp://h/1\n', "not CSV"),
        (f"camera_id,url\na,{'x' * 5000}\n", "not CSV"),
        (f"camera_id,url\n{'x,' * 40_000}\n", "more than 65536 characters"),
    ],
)
def test_a_csv_file_that_cannot_be_used_is_refused_with_its_line(text: str, what: str) -> None:
    with pytest.raises(RegistryError, match=r"line \d"):
        rows(text)
    with pytest.raises(RegistryError) as caught:
        rows(text)
    assert what in str(caught.value)


def test_json_values_become_cells_and_null_is_no_cell() -> None:
    line = '{"camera_id": " a ", "url": "rtsp://h/1", "region": 130102, "push": true, "name": null}'
    assert rows(f"\n{line}\n", FileFormat.JSONL) == [
        FileRow(1, 2, {"camera_id": "a", "url": "rtsp://h/1", "region": "130102", "push": "true"})
    ]


@pytest.mark.parametrize(
    ("line", "what"),
    [
        ('{"camera_id":', "not JSON at character 15"),
        ("[1]", "one JSON object a line"),
        ('{"camera_id": "a", "url": ["x"]}', "'url': allowed: text"),
        ('{"camera_id": "a", "url": "b", "colour": 1}', "unknown column 'colour'"),
        ('{"url": "rtsp://h/1"}', "column 'camera_id' is missing"),
        ('{"camera_id": "a", "url": "b", "name": "\\ud800"}', "half a character"),
        ("[" * 40_000, "nested too deeply"),
        (f'{{"camera_id": {"9" * 5000}}}', "integer"),
    ],
)
def test_a_json_line_that_cannot_be_read_is_named_and_the_others_stand(line: str, what: str) -> None:
    good = '{"camera_id": "ok", "url": "rtsp://h/0"}'
    first, bad, last = rows(f"{good}\n{line}\n{good}\n", FileFormat.JSONL)
    assert first.problem is None
    assert last.problem is None
    assert bad.line == 2
    assert bad.problem is not None
    assert what in bad.problem[2]


def test_a_json_line_is_named_without_its_password() -> None:
    (row,) = rows('{"url": "rtsp://u:secret@h/1"\n', FileFormat.JSONL)
    assert row.problem is not None
    assert "secret" not in str(row.problem)


def test_a_line_without_an_end_is_refused_before_it_fills_the_memory() -> None:
    with pytest.raises(RegistryError, match="line 2: more than 65536 characters"):
        rows("{}\n" + "x" * 1_000_000, FileFormat.JSONL)


def test_a_file_of_too_many_rows_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_files, "ROWS_MAX", 2)
    with pytest.raises(RegistryError, match="line 4: more than 2 rows"):
        rows("camera_id,url\na,b\nc,d\ne,f\n")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "gb18030"])
def test_files_as_excel_writes_them_are_understood(encoding: str) -> None:
    file = io.BytesIO("camera_id,url,name\r\na,rtsp://h/1,灶台\r\n".encode(encoding))
    found = detect_encoding(file)
    assert file.tell() == 0
    (row,) = read_rows(io.TextIOWrapper(file, encoding=found, newline=""), FileFormat.CSV, check_names)
    assert row.cells["name"] == "灶台"


def test_bytes_of_no_known_encoding_are_refused() -> None:
    with pytest.raises(RegistryError, match="UTF-8 nor GB 18030"):
        detect_encoding(io.BytesIO(b"camera_id\xff\xff"))
    with pytest.raises(RegistryError, match="UTF-8 nor GB 18030"):
        detect_encoding(io.BytesIO(b"camera_id\x81"))  # half a character at the end


def test_the_suffix_says_the_form_and_what_has_another_is_csv(tmp_path: Path) -> None:
    forms = {name: format_of(tmp_path / name) for name in ("a.csv", "a.JSONL", "a.ndjson", "a.txt", "a")}
    assert forms == {
        "a.csv": FileFormat.CSV, "a.JSONL": FileFormat.JSONL, "a.ndjson": FileFormat.JSONL, "a.txt": FileFormat.CSV,
        "a": FileFormat.CSV,
    }  # fmt: skip


def test_a_sheet_writes_every_row_with_the_same_columns() -> None:
    row = {"b": True, "a": 'x,"y"', "c": None, "more": 1}
    out = io.StringIO()
    RowWriter(out, FileFormat.CSV, ("a", "b", "c")).write(row)
    assert out.getvalue() == 'a,b,c\r\n"x,""y""",true,\r\n'
    out = io.StringIO()
    RowWriter(out, FileFormat.JSONL, ("a", "b", "c")).write(row)
    assert out.getvalue() == '{"a":"x,\\"y\\"","b":true,"c":null}\n'


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"PK\x03\x04\x14\x00", "a workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "an old Excel workbook"),
        ("camera_id,url\n".encode("utf-16"), "UTF-16"),
        (codecs.BOM_UTF16_BE + "camera_id,url\n".encode("utf-16-be"), "UTF-16"),
    ],
)
def test_a_file_that_is_no_csv_is_called_what_it_is(content: bytes, what: str) -> None:
    with pytest.raises(RegistryError, match=rf"{what}.*CSV UTF-8"):
        detect_encoding(io.BytesIO(content))


@pytest.mark.parametrize("separator", [";", "\t"])
def test_columns_separated_by_something_else_are_refused_with_the_reason(separator: str) -> None:
    text = io.StringIO(f"camera_id{separator}url\na{separator}rtsp://h/1\n")
    with pytest.raises(RegistryError, match=r"line 1: the columns are separated by .*; allowed: a comma"):
        list(read_rows(text, FileFormat.CSV, check_names))
