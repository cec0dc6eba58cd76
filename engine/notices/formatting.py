"""Formats rates, times and findings for the HTML page and the CSV files of a digest. Pure."""

import base64
from datetime import datetime
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S, seconds
from engine.model.kpi import Rate
from engine.notices.digest import Digest, FindingSnapshot, Period
from engine.notices.vocabulary import Lang, Words

_S_PER_H = 3600
_H_PER_DAY = 24
_MONDAY_TO_SUNDAY = 7


def percent(rate: Rate | None) -> str:
    """Return a rate like `97.4%`; empty if the denominator is 0. Only a rate of exactly 1 is `100.0%`."""
    if rate is None or not rate.denominator:
        return ""
    tenths = (2000 * rate.numerator + rate.denominator) // (2 * rate.denominator)
    if rate.numerator < rate.denominator:
        tenths = min(tenths, 999)
    return f"{tenths // 10}.{tenths % 10}%"


def change(now: Rate, before: Rate | None, words: Words) -> str:
    """Return the change since the period before, in percentage points, with a sign that works without colour."""
    if now.value is None or before is None or before.value is None:
        return words["no_before"]
    points = round(100 * (now.value - before.value), 1)
    if not points:
        return f"{words['before']} {words['unchanged']}"
    text = f"{'▲' if points > 0 else '▼'} {points:+.1f} {words['points']}"
    return f"{words['before']} {text}" if words.lang == Lang.ZH else f"{text} {words['before']}"


def moment(wall_ns: int, timezone: str, *, year: bool = False) -> str:
    """Return date and minute; empty if the time is 0 (never)."""
    if not wall_ns:
        return ""
    at = datetime.fromtimestamp(wall_ns // NS_PER_S, ZoneInfo(timezone))
    return f"{at:%Y-%m-%d %H:%M}" if year else f"{at:%m-%d %H:%M}"


def overdue_for(snapshot: FindingSnapshot, end_wall_ns: int, words: Words) -> str:
    """Return how long a finding has been overdue at `end_wall_ns`; empty if it has missed no deadline."""
    if not snapshot.missed_wall_ns:
        return ""
    hours = int(seconds(max(0, end_wall_ns - snapshot.missed_wall_ns)) // _S_PER_H)
    days, rest = divmod(hours, _H_PER_DAY)
    parts = ([f"{days} {words['days']}"] if days else []) + ([f"{rest} {words['hours']}"] if rest or not days else [])
    return " ".join(parts)


def base64_text(content: bytes) -> str:
    """Return bytes as base64, for a `data:` URL."""
    return base64.b64encode(content).decode("ascii")


def dates(period: Period, words: Words) -> str:
    """Return the days of a period as text."""
    first, last = period.first, period.last
    if words.lang == Lang.EN:
        return f"{first:%Y-%m-%d}" if first == last else f"{period.name}, {first:%Y-%m-%d} to {last:%Y-%m-%d}"
    text = f"{first.year}年{first.month}月{first.day}日"
    if first == last:
        return text
    year = "" if first.year == last.year else f"{last.year}年"
    week = f"{period.first.isocalendar().year}年第{period.first.isocalendar().week}周，"
    return f"{week}{text}至{year}{last.month}月{last.day}日"


def title(digest: Digest, words: Words) -> str:
    """Return the title of the digest."""
    return words["week_title" if digest.period.days == _MONDAY_TO_SUNDAY else "day_title"]


def as_of_ns(digest: Digest) -> int:
    """Return the time that the state of the findings refers to: the end of the period, or now if it is not over."""
    end_ns = digest.period.wall_ns(digest.timezone)[1]
    return min(end_ns, digest.made_wall_ns) if digest.so_far else end_ns
