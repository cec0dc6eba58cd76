"""Loads the calendar file: holidays, exchanged working days, school terms, and hours of single canteens.

The file is TOML of bounded size, for example:

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

import datetime
from pathlib import Path
from typing import Literal, Self
from zoneinfo import ZoneInfo

from pydantic import field_validator, model_validator

from engine.config.reading.toml_section import read_section
from engine.config.setting import Section, key
from engine.model.hours import parse_hours

_FILE_BYTES_MAX = 16 * 1024 * 1024
_REGION = r"^(\d{2}){0,3}$"


class Span(Section):
    """The days from `first` to `last`, both included, for a region and everything in it; empty means everywhere."""

    name: str = key("", "Name, for people.")
    region: str = key(
        "",
        "GB/T 2260 code of 2, 4 or 6 digits; holds for everything in the region; empty: everywhere.",
        pattern=_REGION,
    )
    first: datetime.date = key(..., "First day, a TOML date.")
    last: datetime.date = key(..., "Last day, included.")

    @model_validator(mode="after")
    def _check_order(self) -> Self:
        if self.first > self.last:
            raise ValueError(f"first ({self.first}) is after last ({self.last}); exchange the two")
        return self


class Workday(Section):
    """A day worked like another weekday, whatever the holidays say."""

    date: datetime.date = key(..., "The day.")
    like: Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"] = key("mon", "Weekday whose hours it has.")


class Calendar(Section):
    """The whole calendar file."""

    timezone: str = key(
        "Asia/Shanghai", "Time zone of all hours: of the registry, of the calendar, and of scheduler.hours."
    )
    holidays: tuple[Span, ...] = key(
        (), "Days on which the kitchens of the region rest; at most 1000.", max_length=1000
    )
    workdays: tuple[Workday, ...] = key(
        (),
        "Days worked like another weekday, whatever the holidays say; terms still hold; at most 1000.",
        max_length=1000,
    )
    terms: tuple[Span, ...] = key(
        (),
        "School terms. Where a region has terms, its kitchens rest outside them; a county's own terms replace "
        "those of its province; at most 10 000.",
        max_length=10_000,
    )
    sites: dict[str, str] = key(
        {},
        "Working hours by canteen (`site_id`), in place of those of the registry; at most 200 000.",
        max_length=200_000,
    )

    @field_validator("timezone")
    @classmethod
    def _check_timezone(cls, name: str) -> str:
        try:
            ZoneInfo(name)
        except (KeyError, ValueError, OSError) as error:
            raise ValueError("no such time zone; allowed: names like Asia/Shanghai") from error
        return name

    @field_validator("sites")
    @classmethod
    def _check_hours(cls, sites: dict[str, str]) -> dict[str, str]:
        for site, hours in sites.items():
            try:
                parse_hours(hours)
            except ValueError as error:
                raise ValueError(f"{site!r}: {error}") from error
        return sites


def load_calendar(path: str) -> Calendar:
    """Read the calendar file; an empty path gives an empty calendar.

    Raises ConfigError, which names each wrong entry, if the file cannot be used.
    """
    if not path:
        return Calendar()
    label = f"scheduler.calendar_file = {path!r}"
    return read_section(Path(path), Calendar, bytes_max=_FILE_BYTES_MAX, label=label)
