"""The calendar file: holidays, working days in exchange, school terms, and hours of single canteens. TOML, bounded.

timezone = "Asia/Shanghai"
[[holidays]]
name = "National Day"
first = 2026-10-01
last = 2026-10-07
[[workdays]]            # a Saturday that is worked like a Monday
date = 2026-10-10
like = "mon"
[[terms]]               # kitchens of this region rest outside its terms
region = "13"
first = 2026-09-01
last = 2027-01-15
[sites]
"130102-s17" = "mon-sun 05:00-20:00"
"""

import tomllib
from datetime import date
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import Field, ValidationError, field_validator, model_validator

from engine.config.setting import Section
from engine.errors import ConfigError
from engine.hours import parse_hours

_FILE_BYTES_MAX = 16 * 1024 * 1024
_REGION = r"^(\d{2}){0,3}$"


class Span(Section):
    """Days from `first` to `last`, both in it, for the region and all it contains; an empty region is everywhere."""

    name: str = ""
    region: str = Field(default="", pattern=_REGION)
    first: date
    last: date

    @model_validator(mode="after")
    def _ordered(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first ({self.first}) is after last ({self.last}); exchange the two")
        return self


class Workday(Section):
    """A day worked like another weekday, whatever the holidays say."""

    date: date
    like: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = "mon"


class Calendar(Section):
    """The whole file."""

    timezone: str = "Asia/Shanghai"
    holidays: tuple[Span, ...] = Field(default=(), max_length=1000)
    workdays: tuple[Workday, ...] = Field(default=(), max_length=1000)
    terms: tuple[Span, ...] = Field(default=(), max_length=10_000)
    sites: dict[str, str] = Field(default={}, max_length=200_000)

    @field_validator("timezone")
    @classmethod
    def _known(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("no such time zone; allowed: names like Asia/Shanghai") from error
        return name

    @field_validator("sites")
    @classmethod
    def _readable(cls, sites: dict[str, str]) -> dict[str, str]:
        for site, hours in sites.items():
            try:
                parse_hours(hours)
            except ValueError as error:
                raise ValueError(f"{site!r}: {error}") from error
        return sites


def load_calendar(path: str) -> Calendar:
    """Read the file; an empty path is a calendar without entries. Raises ConfigError that names each wrong entry."""
    if not path:
        return Calendar()
    file = Path(path)
    try:
        if file.stat().st_size > _FILE_BYTES_MAX:
            raise ConfigError(f"scheduler.calendar_file = {path!r}: more than {_FILE_BYTES_MAX} bytes; split it")
        tree = tomllib.loads(file.read_text(encoding="utf-8"))
        return Calendar.model_validate(tree)
    except OSError as error:
        raise ConfigError(f"scheduler.calendar_file = {path!r}: {error.strerror}; give a readable file") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"scheduler.calendar_file = {path!r}: is not TOML: {error}") from error
    except ValidationError as error:
        lines = [
            f"{path}: {'.'.join(map(str, one['loc']))}: {one['msg'].removeprefix('Value error, ')}; mend the entry"
            for one in error.errors()
        ]
        raise ConfigError("\n".join(lines)) from error
