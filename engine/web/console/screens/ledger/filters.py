"""What a list of findings shows: read from the query of its page, written into links, and told to people."""

from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from engine.errors import InvalidArgumentError
from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.words import Words
from patrol.v1.findings_pb2 import FindingFilter, FindingLevel, FindingState
from patrol.v1.verdicts_pb2 import FaultKind, FaultSeverity


def _words(enum: Any, prefix: str) -> dict[str, Any]:
    """Return the values of an enum by the words that URLs have for them."""
    return {name.removeprefix(prefix).lower(): value for name, value in enum.items() if value}


STATES = _words(FindingState, "FINDING_STATE_")
LEVELS = _words(FindingLevel, "FINDING_LEVEL_")
SEVERITIES = _words(FaultSeverity, "FAULT_SEVERITY_")
KINDS = (*_words(FaultKind, "FAULT_KIND_"), "offline")
ALL = "all"
"""In place of a state: those that have ended too."""
ORDERS = {
    "deadline": "deadline_time",
    "newest": "",
    "oldest": "open_time",
    "severity": "severity desc",
    "level": "level desc",
}
_FIRST_ORDER = "deadline"
_DAY_CHARS = 10


@dataclass(frozen=True)
class LedgerQuery:
    """Empty fields do not filter, but for `state`: empty, it is all that have not ended. `severity`: the least.

    `since`, `until`: days of opening, both included. `order`: of ORDERS.
    """

    region: str = ""
    level: str = ""
    state: str = ""
    severity: str = ""
    kind: str = ""
    overdue: str = ""
    supervised: str = ""
    since: str = ""
    until: str = ""
    q: str = ""
    site: str = ""
    camera: str = ""
    order: str = _FIRST_ORDER

    def fields(self) -> dict[str, str]:
        """Return the fields of a URL that shows this list."""
        kept = asdict(self)
        return {name: value for name, value in kept.items() if value and (name, value) != ("order", _FIRST_ORDER)}

    def base(self) -> "LedgerQuery":
        """Return what the figures above the list count: everything but how findings stand."""
        return replace(self, level="", state=ALL, severity="", overdue="", supervised="")

    def order_by(self) -> str:
        """Return the order as calls have it."""
        return ORDERS[self.order]

    def message(self, zone: ZoneInfo) -> FindingFilter:
        """Return the filter of a call. `zone`: in which days begin."""
        wanted = FindingFilter(
            region_prefix=self.region,
            site_id=self.site,
            camera=names.camera_name(self.camera) if self.camera else "",
            open_only=not self.state,
            severity_min=SEVERITIES.get(self.severity, 0),
            cause_keys=[self.kind] if self.kind else [],
            query=self.q,
        )
        if self.state in STATES:
            wanted.states.append(STATES[self.state])
        if self.level:
            wanted.level = LEVELS[self.level]
        if self.overdue:
            wanted.overdue = True
        if self.supervised:
            wanted.supervised = True
        if self.since:
            wanted.open_start_time.FromDatetime(_midnight(self.since, 0, zone))
        if self.until:
            wanted.open_end_time.FromDatetime(_midnight(self.until, 1, zone))
        return wanted

    def told(self, page: Page) -> list[tuple[str, str]]:
        """Return the filter in words: what is filtered, and by what."""
        words = Words(page.language)
        region = self.region or page.caller.region
        told = [("Region", page.region_name(region) if region else page.text("all regions"))]
        told += [("State", _state_words(page, words, self.state))]
        told += [("Level", words.level(LEVELS[self.level]))] if self.level else []
        told += [("Severity at least", words.severity(SEVERITIES[self.severity]))] if self.severity else []
        told += [("What is wrong", words.problem(self.kind))] if self.kind else []
        told += [("Only", page.text("overdue"))] if self.overdue else []
        told += [("Only", page.text("supervised"))] if self.supervised else []
        told += [("Opened from", self.since)] if self.since else []
        told += [("Opened until", self.until)] if self.until else []
        told += [("Name contains", self.q)] if self.q else []
        told += [("Canteen", self.site)] if self.site else []
        told += [("Camera", self.camera)] if self.camera else []
        return [(page.text(name), value) for name, value in told]


def read(page: Page) -> LedgerQuery:
    """Return the list that a page's query asks for. Raises InvalidArgumentError."""
    query = page.query
    return LedgerQuery(
        region=forms.text(query, "region", 6),
        level=forms.choice(query, "level", LEVELS),
        state=forms.choice(query, "state", (*STATES, ALL)),
        severity=forms.choice(query, "severity", SEVERITIES),
        kind=forms.choice(query, "kind", KINDS),
        overdue=forms.choice(query, "overdue", ("1",)),
        supervised=forms.choice(query, "supervised", ("1",)),
        since=_day(query, "since"),
        until=_day(query, "until"),
        q=forms.text(query, "q", 100),
        site=forms.text(query, "site", 64),
        camera=forms.text(query, "camera", 64),
        order=forms.choice(query, "order", ORDERS, _FIRST_ORDER),
    )


def _state_words(page: Page, words: Words, state: str) -> str:
    if state == ALL:
        return page.text("all, ended ones too")
    return words.finding_state(STATES[state]) if state else page.text("not ended")


def _day(query: Any, name: str) -> str:
    value = forms.text(query, name, _DAY_CHARS)
    if value:
        try:
            if date.fromisoformat(value).isoformat() != value or not "1970-01-02" <= value <= "2199-12-31":
                raise ValueError(value)
        except ValueError:
            raise InvalidArgumentError(name, f"{value!r}; allowed: a day such as 2026-03-02") from None
    return value


def _midnight(day: str, days_on: int, zone: ZoneInfo) -> datetime:
    return datetime.combine(date.fromisoformat(day) + timedelta(days=days_on), time(), zone)
