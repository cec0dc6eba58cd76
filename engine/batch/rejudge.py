"""`patrol rejudge`: shows what other thresholds would say of the latest pictures, before they are applied.

The stored measurements are judged again with each camera's present judge state, without the last visit's outcome. What
that visit added to the baseline stays in it, which is little; whether the picture was frozen is taken from then.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from engine.config.judge import JudgeSettings
from engine.errors import ConfigError, WireError
from engine.judge.rules import judge_measurement
from engine.judge.state import JudgeState
from engine.judge.streams import judge_on_stream
from engine.model.packed.measurement import unpack_measurement
from engine.model.verdict import Verdict
from engine.serve.messages.convert import verdict_message
from engine.serve.messages.proto_json import message_json, time_json
from engine.serve.messages.resource_names import camera_name
from engine.storage.db.store import VisitRecord
from engine.terminal.times import span_ns

_SHOWN = ("state", "kinds", "reason", "cause", "confidence", "rulesVersion")
"""Fields of a Verdict that judging again can change."""


@dataclass(frozen=True, slots=True)
class Rejudged:
    """The latest picture of one camera: `was`, its verdict, and `would`, the one it would get."""

    was: Verdict
    would: Verdict

    @property
    def changed(self) -> bool:
        """Whether state, kinds or reason differ."""
        return _outcome(self.was) != _outcome(self.would)

    def json(self) -> dict[str, Any]:
        """Return it as `patrol rejudge --json` prints it. `thresholds`: those that differ, before and after."""
        before, after = self.was.thresholds, self.would.thresholds
        return {
            "camera": camera_name(self.was.camera_id),
            "visitTime": time_json(self.was.at_wall_ns),
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
    """How many pictures were judged again, how many could not be read, and the numbers by verdict before and after."""

    judged: int = 0
    unreadable: int = 0
    moves: Counter[tuple[str, str]] = field(default_factory=Counter)

    @property
    def changed(self) -> int:
        """The number of pictures whose verdict would change."""
        return sum(number for (was, would), number in self.moves.items() if was != would)


def rejudge(records: Iterable[VisitRecord], settings: JudgeSettings, totals: Totals) -> Iterator[Rejudged]:
    """Judge each record again and yield the result; count in `totals`."""
    for record in records:
        try:
            measurement = unpack_measurement(record.measurement)
        except WireError:
            totals.unreadable += 1
            continue
        judge_state = JudgeState.from_bytes(record.judge_state).without_last_outcome()
        rule = partial(judge_measurement, measurement, settings=settings, working=record.working)
        would, _ = judge_on_stream(record.verdict.stream, rule, judge_state, settings)
        rejudged = Rejudged(record.verdict, would)
        totals.judged += 1
        totals.moves[label(rejudged.was), label(rejudged.would)] += 1
        yield rejudged


def label(verdict: Verdict) -> str:
    """Return a verdict in a word or a few: its kinds, else its state and reason."""
    return ", ".join(verdict.kinds) or (f"{verdict.state} ({verdict.reason})" if verdict.reason else verdict.state)


def parse_since(text: str, now_ns: int) -> int:
    """Return the time that is `text` (like `90m`, `24h`, `7d`) before `now_ns`. Raises ConfigError."""
    span = span_ns(text)
    if span is None:
        raise ConfigError(f"--since = {text!r}: give a number and a unit of s, m, h or d, like 24h")
    return now_ns - span


def _outcome(verdict: Verdict) -> tuple[object, ...]:
    return verdict.state, verdict.kinds, verdict.reason


def _json(verdict: Verdict) -> dict[str, Any]:
    tree = message_json(verdict_message(verdict, with_numbers=False))
    return {name: tree[name] for name in _SHOWN if name in tree}
