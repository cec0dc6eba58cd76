"""Reads DIR/labels.csv: what a person sees in each file. Columns: `path,first_frame,last_frame,truth,reference`."""

import csv
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("path", "first_frame", "last_frame", "truth", "reference")
OK, DAMAGED = "ok", "damaged"


@dataclass(frozen=True, slots=True)
class Label:
    """One row. `first_frame`, `last_frame`: counted from 0, both included; None stands for the ends of the file.

    `reference`: a good picture of the same scene, or empty.
    """

    path: str
    first_frame: int | None
    last_frame: int | None
    truth: str
    reference: str


def read_labels(data: Path) -> list[Label]:
    """Return the rows of DIR/labels.csv. Raises ValueError that names line and column if it cannot be read."""
    path = data / "labels.csv"
    if not path.is_file():
        raise ValueError(f"no {path}; a data directory needs a labels.csv with the columns {','.join(COLUMNS)}")
    with path.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        missing = set(COLUMNS) - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{path}: no column {', '.join(sorted(missing))}; required: {','.join(COLUMNS)}")
        return [_label(path, number, row) for number, row in enumerate(rows, 2)]


def _label(path: Path, number: int, row: dict[str, str | None]) -> Label:
    values = {name: (row[name] or "").strip() for name in COLUMNS}
    if not values["path"] or not values["truth"]:
        raise ValueError(f"{path}: line {number} has no path or no truth")
    return Label(
        values["path"],
        _frame(path, number, values["first_frame"]),
        _frame(path, number, values["last_frame"]),
        values["truth"],
        values["reference"],
    )


def _frame(path: Path, number: int, text: str) -> int | None:
    if not text:
        return None
    if not text.isdigit():
        raise ValueError(f"{path}: line {number}: {text!r} is no frame number; allowed: 0, 1, 2, ... or empty")
    return int(text)
