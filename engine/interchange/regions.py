"""Names of the region codes of GB/T 2260. A code has 2, 4 or 6 digits: province, city, county.

A region contains what its code prefixes. Only Hebei's table is shipped; a code that is in no table is shown as it is.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Self

from engine.errors import RegistryError
from engine.rows.gbt28181 import short_code


class Regions:
    """A table of codes and names. Codes may have trailing zeros (130100 is 1301)."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._names = dict(names)

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Parse lines of `code<TAB>name`; `#` begins a comment. Raises RegistryError for a bad line, or a code that is
        repeated."""
        names: dict[str, str] = {}
        for number, line in enumerate(text.splitlines(), 1):
            if not line or line.startswith("#"):
                continue
            code, _, name = line.partition("\t")
            if not (code.isascii() and code.isdecimal() and len(code) in (2, 4, 6)) or not name or code in names:
                raise RegistryError(f"line {number}: {line!r}; wanted: a new code of 2, 4 or 6 digits, a tab, a name")
            names[code] = name
        return cls(names.items())

    def __contains__(self, code: str) -> bool:
        """Whether the table has this code."""
        return short_code(code) in self._names

    def name(self, code: str) -> str:
        """Return the name alone (`长安区`); the code if the table does not have it."""
        return self._names.get(short_code(code), code)

    def label(self, code: str) -> str:
        """Return the name with the city's name before it (`石家庄市长安区`); the code if the table does not have it."""
        if code not in self:
            return code
        short = short_code(code)
        city = short[:4] if len(short) == 6 else ""
        return self._names.get(city, "") + self._names[short]

    def parents(self, code: str) -> tuple[str, ...]:
        """Return the codes that contain this one, the province first; also for a code that is in no table."""
        short = short_code(code)
        return tuple(short[:digits] for digits in (2, 4) if digits < len(short))

    def children(self, code: str = "") -> tuple[str, ...]:
        """Return the codes one level below, sorted; the provinces for an empty code."""
        short = short_code(code)
        return tuple(child for child in sorted(self._names) if len(child) == len(short) + 2 and child.startswith(short))

    def contains(self, outer: str, inner: str) -> bool:
        """Return whether `inner` is in `outer`, or equal to it. An empty `outer` contains everything."""
        return short_code(inner).startswith(short_code(outer))


@cache
def hebei() -> Regions:
    """Return Hebei's table: the province, its cities and its counties. The file names its edition."""
    return Regions.of_text(files("engine.interchange").joinpath("hebei.tsv").read_text(encoding="utf-8"))
