"""The days that a page of rates is about: a preset, or two days that the user chose."""

from dataclasses import dataclass
from datetime import date, timedelta

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.page import Page

PRESETS = {
    "today": "today",
    "yesterday": "yesterday",
    "7days": "7 days",
    "30days": "30 days",
    "month": "this month",
    "own": "from … to …",
}
DEFAULT = "7days"
DAYS_MAX = 400


@dataclass(frozen=True)
class Period:
    """`first` to `last`, both included. `preset`: one of PRESETS."""

    first: date
    last: date
    preset: str

    @property
    def days(self) -> int:
        """How many days it has."""
        return (self.last - self.first).days + 1

    @property
    def iso_days(self) -> tuple[str, str]:
        """The first and the last day as forms have them."""
        return self.first.isoformat(), self.last.isoformat()

    @property
    def query(self) -> dict[str, str]:
        """What a link needs to name it."""
        if self.preset != "own":
            return {"period": self.preset}
        return {"period": "own", "from": self.iso_days[0], "to": self.iso_days[1]}


def today_of(page: Page) -> date:
    """Return the day that it is now in the kitchens' time zone."""
    return page.formats().now.astimezone(page.zone).date()


def asked_period(page: Page, default: str = DEFAULT) -> Period:
    """Return the period in `?period=`, with `own` the days `?from=` to `?to=`. Raises InvalidArgumentError.

    `?shown=`: the preset that a form showed together with its days. Who changes the days alone means `own`.
    """
    preset = forms.choice(page.query, "period", PRESETS, default)
    first, last = forms.text(page.query, "from", 10), forms.text(page.query, "to", 10)
    today = today_of(page)
    period = period_of(preset, first, last, today)
    if forms.choice(page.query, "shown", PRESETS) == preset and (first, last) != period.iso_days:
        return period_of("own", first, last, today)
    return period


def period_of(preset: str, first: str, last: str, today: date) -> Period:
    """Return a period. `first`, `last`: ISO days, for `own`; empty: as the other one, or today.

    Raises InvalidArgumentError for days that are none, in the wrong order, or more than DAYS_MAX.
    """
    if preset == "own":
        end = _day("to", last or first, today)
        begin = _day("from", first, end)
        if not 0 <= (end - begin).days < DAYS_MAX:
            raise InvalidArgumentError(
                "from",
                f"{begin} to {end}; allowed: a first day that is not after the last, and at most {DAYS_MAX} days",
            )
        return Period(begin, end, preset)
    begins = {
        "today": today,
        "yesterday": today - timedelta(days=1),
        "7days": today - timedelta(days=6),
        "30days": today - timedelta(days=29),
        "month": today.replace(day=1),
    }
    return Period(begins[preset], begins[preset] if preset == "yesterday" else today, preset)


def _day(name: str, text: str, default: date) -> date:
    if not text:
        return default
    try:
        day = date.fromisoformat(text)
    except ValueError:
        day = date.min
    if not 1970 <= day.year < 9000:
        raise InvalidArgumentError(name, f"{text!r}; allowed: a day such as 2026-03-02")
    return day
