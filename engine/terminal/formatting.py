"""How states, kinds, scores and times are written and coloured, the same everywhere."""

import time
from datetime import datetime
from zoneinfo import ZoneInfo

from rich.text import Text

from engine.model.verdict import Verdict

STYLES = {"ok": "green", "fault": "bold red", "unknown": "yellow", "offline": "magenta", "unseen": "bright_black"}
_NEVER_S = 366 * 86_400
"""No window is looked for farther away."""
_UNITS = ((10, 1, "s", 1), (119.5, 1, "s", 0), (7200, 60, "min", 1), (172_800, 3600, "h", 1))


def state_text(state: str) -> Text:
    """A state in its colour."""
    return Text(state, style=STYLES.get(state, ""))


def why(verdict: Verdict) -> str:
    """Kinds of a fault with their cause, or the reason of an unknown or offline."""
    if not verdict.kinds:
        return verdict.reason
    kinds = ", ".join(verdict.kinds)
    return kinds if verdict.cause is None or verdict.cause in kinds else f"{kinds} ({verdict.cause})"


def score_text(score: float | None) -> str:
    """A score without decimals; a dash where there is none."""
    return "-" if score is None else f"{score:.0f}"


def clock_text(wall_ns: int) -> str:
    """Local time of day."""
    return time.strftime("%H:%M:%S", time.localtime(wall_ns / 1e9)) if wall_ns else "-"


def duration_text(duration_s: float) -> str:
    """Three digits or so, in the unit that a person would take; `never` for what is years away."""
    if duration_s >= _NEVER_S:
        return "never"
    for limit_s, unit_s, unit, digits in _UNITS:
        if abs(duration_s) < limit_s:
            return f"{duration_s / unit_s:.{digits}f}".removesuffix(".0") + f" {unit}"
    return f"{duration_s / 86_400:.1f}".removesuffix(".0") + " d"


def zoned_text(wall_ns: int, timezone: str) -> str:
    """Weekday, date and minute in a time zone."""
    return f"{datetime.fromtimestamp(wall_ns // 10**9, ZoneInfo(timezone)):%a %Y-%m-%d %H:%M} ({timezone})"


def day_text(wall_ns: int) -> str:
    """Local date and time of day."""
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(wall_ns / 1e9))


def utc_text(wall_ns: int) -> str:
    """Date and time of day as RFC 3339 in UTC, for programs; empty for never."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_ns / 1e9)) if wall_ns else ""


def state_of(verdict: Verdict | None) -> str:
    """The announced state; unseen before the first verdict."""
    return "unseen" if verdict is None else str(verdict.announced)
