"""DIR/labels.csv: what a person sees in each file. `path,first_frame,last_frame,truth,reference`."""

import csv
from dataclasses import dataclass
from pathlib import Path

COLUMNS = ("path", "first_frame", "last_frame", "truth", "reference")
OK, DAMAGED = "ok", "damaged"


@dataclass(frozen=True, slots=True)
class Label:
    """One row. `first_frame`, `last_frame`: counted from 0, both included; None: the file's own ends.

    `reference`: a good picture of the same scene, or empty.
    """

    path: str
    first_frame: int | None
    last_frame: int | None
    truth: str
    reference: str


def read_labels(data: Path) -> list[Label]:
    """The rows of DIR/labels.csv. Raises ValueError naming row and column where it cannot be read."""
    place = data / "labels.csv"
    if not place.is_file():
        raise ValueError(f"no {place}; a data directory has a labels.csv with the columns {','.join(COLUMNS)}")
    with place.open(encoding="utf-8-sig", newline="") as lines:
        rows = csv.DictReader(lines)
        missing = set(COLUMNS) - set(rows.fieldnames or ())
        if missing:
            raise ValueError(f"{place}: no column {', '.join(sorted(missing))}; wanted: {','.join(COLUMNS)}")
        return [_label(place, number, row) for number, row in enumerate(rows, 2)]


def _label(place: Path, number: int, row: dict[str, str | None]) -> Label:
    values = {name: (row[name] or "").strip() for name in COLUMNS}
    if not values["path"] or not values["truth"]:
        raise ValueError(f"{place}: line {number} has no path or no truth")
    return Label(
        values["path"],
        _frame(place, number, values["first_frame"]),
        _frame(place, number, values["last_frame"]),
        values["truth"],
        values["reference"],
    )


def _frame(place: Path, number: int, text: str) -> int | None:
    if not text:
        return None
    if not text.isdigit():
        raise ValueError(f"{place}: line {number}: {text!r} is no frame number; allowed: 0, 1, 2, ... or empty")
    return int(text)
