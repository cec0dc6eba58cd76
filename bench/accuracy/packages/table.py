"""Reads photographs.csv: which packages carry which photographs, under which licence, with the SHA-256 of each.

Chosen by eye: a photograph, not a drawing; detail over most of it, as a fixed wide lens shows; wider than high; nothing
drawn into it; one of each place. What the engine answers to a picture had no say.
"""

import csv
from dataclasses import dataclass
from pathlib import Path
from typing import Final

TABLE: Final = Path(__file__).with_name("photographs.csv")
DEBIAN, PYPI = "debian", "pypi"


@dataclass(frozen=True, slots=True)
class Photograph:
    """One picture. `path`: inside the package; `sha256`: of the file, hexadecimal; `licence`: its SPDX name."""

    path: str
    sha256: str
    licence: str


@dataclass(frozen=True, slots=True)
class Package:
    """A package and what is taken from it. `source`: DEBIAN or PYPI. `version`: the one that the table was made from;
    another one is as good if it has the same pictures."""

    source: str
    name: str
    version: str
    photographs: tuple[Photograph, ...]


def packages(table: Path = TABLE) -> list[Package]:
    """Return the packages of the table, each with its photographs, in its order."""
    rows: dict[tuple[str, str, str], list[Photograph]] = {}
    with table.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            key = row["source"], row["package"], row["version"]
            rows.setdefault(key, []).append(Photograph(row["path"], row["sha256"], row["licence"]))
    return [Package(*key, tuple(photographs)) for key, photographs in rows.items()]
