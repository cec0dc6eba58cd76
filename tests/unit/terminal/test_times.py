"""Times on the terminal: one zone, labelled, whatever the host's."""

from datetime import UTC, datetime

import pytest

from engine.terminal.times import Times


def ns(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * 10**9


NOW = ns("2026-11-24T17:30:00")  # 01:30 on the 25th in Shanghai
SHANGHAI = Times("Asia/Shanghai", NOW)


@pytest.mark.parametrize(
    ("zone", "label"),
    [("Asia/Shanghai", "UTC+8"), ("UTC", "UTC"), ("Asia/Kolkata", "UTC+5:30"), ("America/Caracas", "UTC-4"),
     ("Europe/Berlin", "Europe/Berlin")],
)  # fmt: skip
def test_a_zone_is_called_by_its_offset_unless_that_changes_within_the_year(zone: str, label: str) -> None:
    assert Times(zone, NOW).label == label
    assert Times(zone, NOW).head("seen", "since") == [f"seen ({label})", f"since ({label})"]


def test_times_are_those_of_the_zone_and_not_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    assert SHANGHAI.day(NOW) == "2026-11-25 01:30:00"
    assert SHANGHAI.clock(NOW) == "01:30:00"
    assert SHANGHAI.sentence(NOW) == "2026-11-25 01:30:00 (UTC+8)"
    assert SHANGHAI.weekday(NOW) == "Wed 2026-11-25 01:30 (UTC+8)"
    assert Times("UTC", NOW).day(NOW) == "2026-11-24 17:30:00"


def test_a_time_of_another_day_has_its_date() -> None:
    assert SHANGHAI.recent(NOW - 60 * 10**9) == "01:29:00"
    assert SHANGHAI.recent(ns("2026-11-24T15:30:00")) == "2026-11-24 23:30:00"
    assert SHANGHAI.recent(0) == SHANGHAI.day(0) == SHANGHAI.clock(0) == "-"
