"""How states, kinds, scores and times are written and coloured, the same everywhere."""

import time

from rich.text import Text

from engine.types import State, Verdict

STYLES = {"ok": "green", "fault": "bold red", "unknown": "yellow", "offline": "magenta", "unseen": "bright_black"}


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


def state_of(verdict: Verdict | None) -> str:
    """The announced state; unseen before the first verdict."""
    return "unseen" if verdict is None else str(verdict.announced)


def answer_of(verdict: Verdict) -> State:
    """The visit's own answer."""
    return verdict.state
