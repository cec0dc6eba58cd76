"""Formats states, kinds, scores and durations the same way everywhere; times.py prints times."""

import time

from rich.text import Text

from engine.model.verdict import Verdict

STYLES = {"ok": "green", "fault": "bold red", "unknown": "yellow", "offline": "magenta", "unseen": "bright_black"}
_NEVER_S = 366 * 86_400
"""The scheduler looks for the next open window no further ahead than this."""
_UNITS = ((10, 1, "s", 1), (119.5, 1, "s", 0), (7200, 60, "min", 1), (172_800, 3600, "h", 1))


def state_text(state: str) -> Text:
    """Return a state in its colour."""
    return Text(state, style=STYLES.get(state, ""))


def why_text(verdict: Verdict) -> str:
    """Return the kinds of a fault with their cause, or the reason of an unknown or offline."""
    if not verdict.kinds:
        return verdict.reason
    kinds = ", ".join(verdict.kinds)
    return kinds if verdict.cause is None or verdict.cause in kinds else f"{kinds} ({verdict.cause})"


def score_text(score: float | None) -> str:
    """Return a score without decimals, or a dash if there is none."""
    return "-" if score is None else f"{score:.0f}"


def duration_text(duration_s: float) -> str:
    """Return a duration with about three digits in a suitable unit; `never` for a year and more."""
    if duration_s >= _NEVER_S:
        return "never"
    for limit_s, unit_s, unit, digits in _UNITS:
        if abs(duration_s) < limit_s:
            return f"{duration_s / unit_s:.{digits}f}".removesuffix(".0") + f" {unit}"
    return f"{duration_s / 86_400:.1f}".removesuffix(".0") + " d"


def utc_text(wall_ns: int) -> str:
    """Return date and time as RFC 3339 in UTC, for programs; empty for 0 (never)."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(wall_ns / 1e9)) if wall_ns else ""


def state_of(verdict: Verdict | None) -> str:
    """Return the announced state, or `unseen` before the first verdict."""
    return "unseen" if verdict is None else str(verdict.announced)
