"""GB/T 2260 codes with their names. A code of 2, 4 or 6 digits: province, city, county; each contains what it prefixes.

Only Hebei's table is shipped. A code that is in no table stays what it is, and is shown as the code.
"""

from collections.abc import Iterable
from functools import cache
from importlib.resources import files
from typing import Self

from engine.errors import RegistryError


class Regions:
    """A table of codes and names. Codes may come with trailing zeros (130100 is 1301)."""

    def __init__(self, names: Iterable[tuple[str, str]]) -> None:
        self._names = dict(names)

    @classmethod
    def of_text(cls, text: str) -> Self:
        """Lines of `code<TAB>name`; `#` begins a comment. Raises RegistryError on what is no code, or stands twice."""
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
        """The name by itself (`长安区`); the code where the table has none."""
        return self._names.get(short_code(code), code)

    def label(self, code: str) -> str:
        """The name with that of the city before it (`石家庄市长安区`); the code where the table has none."""
        if code not in self:
            return code
        own = short_code(code)
        city = own[:4] if len(own) == 6 else ""
        return self._names.get(city, "") + self._names[own]

    def parents(self, code: str) -> tuple[str, ...]:
        """Codes that contain this one, the province first; also of a code that is in no table."""
        own = short_code(code)
        return tuple(own[:digits] for digits in (2, 4) if digits < len(own))

    def children(self, code: str = "") -> tuple[str, ...]:
        """Codes one level below, in order; without a code, the provinces."""
        own = short_code(code)
        return tuple(one for one in sorted(self._names) if len(one) == len(own) + 2 and one.startswith(own))

    def contains(self, outer: str, inner: str) -> bool:
        """Whether a region lies in another, or is it. Everything lies in the empty one."""
        return short_code(inner).startswith(short_code(outer))


def short_code(code: str) -> str:
    """A code without the pairs of zeros that fill it up: 130100 is 1301. What is no code stays as it is."""
    while len(code) > 2 and len(code) % 2 == 0 and code.endswith("00"):
        code = code[:-2]
    return code


@cache
def hebei() -> Regions:
    """Hebei: the province, its cities and its counties; the file says of which year."""
    return Regions.of_text(files("engine.interchange").joinpath("hebei.tsv").read_text(encoding="utf-8"))
