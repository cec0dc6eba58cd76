"""`patrol rejudge`: what other thresholds would have said of the latest pictures, before they are applied.

The kept measurements are judged again against the memory each camera has now, less the last visit's outcome. What that
visit taught the baseline stays in it, which is little; whether a picture stood still is counted as it was counted then.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any

from engine.clock import NS_PER_S
from engine.config.judge import JudgeSettings
from engine.errors import ConfigError, WireError
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.model.verdict import Verdict
from engine.storage.db.store import VisitRecord
from engine.worker.wire import unpack_measurement

_UNIT_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


@dataclass(frozen=True, slots=True)
class Rejudged:
    """One camera's latest picture: what was said of it, and what would be."""

    was: Verdict
    would: Verdict

    @property
    def changed(self) -> bool:
        """Whether state, kinds or reason differ."""
        return _said(self.was) != _said(self.would)

    def json(self) -> dict[str, Any]:
        """As `patrol rejudge --json` prints it; thresholds are those that differ, as they were and would be."""
        before, after = self.was.thresholds, self.would.thresholds
        return {
            "camera_id": self.was.camera_id,
            "at_wall_ns": self.was.at_wall_ns,
            "was": _json(self.was),
            "would": _json(self.would),
            "thresholds": {
                name: [before.get(name), after.get(name)]
                for name in sorted({*before, *after})
                if before.get(name) != after.get(name)
            },
        }


@dataclass(slots=True)
class Totals:
    """How many pictures were judged again, could not be read, and went from what to what."""

    judged: int = 0
    unreadable: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """Pictures of which something else would be said."""
        return sum(number for (was, would), number in self.moves.items() if was != would)


def rejudge(records: Iterable[VisitRecord], settings: JudgeSettings, totals: Totals) -> Iterator[Rejudged]:
    """Judge each record again, in turn; `totals` counts along."""
    for record in records:
        try:
            measurement = unpack_measurement(record.measurement)
        except WireError:
            totals.unreadable += 1
            continue
        memory = JudgeState.from_bytes(record.history).without_last_outcome()
        would, _ = judge_measurement(measurement, memory, settings, working=record.working)
        one = Rejudged(record.verdict, would)
        totals.judged += 1
        totals.moves[label(one.was), label(one.would)] += 1
        yield one


def label(verdict: Verdict) -> str:
    """What was said, in one word or a few."""
    return ", ".join(verdict.kinds) or (f"{verdict.state} ({verdict.reason})" if verdict.reason else verdict.state)


def since_ns(text: str, now_ns: int) -> int:
    """`90m`, `24h`, `7d` before `now_ns`; raises ConfigError."""
    number, unit = text[:-1], text[-1:]
    if not (number.isascii() and number.isdigit() and unit in _UNIT_S):
        raise ConfigError(f"--since = {text!r}: give a number and a unit of s, m, h or d, like 24h")
    return now_ns - int(number) * _UNIT_S[unit] * NS_PER_S


def _said(verdict: Verdict) -> tuple[object, ...]:
    return verdict.state, verdict.kinds, verdict.reason


def _json(verdict: Verdict) -> dict[str, Any]:
    return {
        "state": verdict.state.value,
        "kinds": [kind.value for kind in verdict.kinds],
        "reason": verdict.reason or None,
        "cause": None if verdict.cause is None else verdict.cause.value,
        "confidence": verdict.confidence,
        "rules_version": verdict.rules_version,
    }
