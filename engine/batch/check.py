"""`patrol check`: visits each source once and judges its keyframe, which a process of its own decodes and measures."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.batch.measuring import MeasuringProcess
from engine.clock import monotonic_ns, ns, wall_ns
from engine.config.feed import FeedSettings
from engine.config.schema import Settings
from engine.errors import DecodeError
from engine.feed.camera_url import route, source_url
from engine.feed.demuxing.pool import fetch_now
from engine.feed.dialogue.trace import DialogueTrace
from engine.feed.fallback import fallback_order
from engine.feed.visit import visit
from engine.judge.rules import judge_failure, judge_measurement, judge_undecoded
from engine.judge.state import JudgeState
from engine.model.dialogue import TraceLine
from engine.model.keyframe import Keyframe
from engine.model.measurement import Measurement
from engine.model.verdict import UnknownReason, Verdict
from engine.model.visit import FeedKind, VisitFailure, VisitOrder
from engine.redact import KNOWN, redact_url
from engine.serve.messages.convert import verdict_message
from engine.serve.messages.proto_json import message_json

_REASONS = {
    "damaged": UnknownReason.DAMAGED,
    "empty": UnknownReason.DAMAGED,
    "too_costly": UnknownReason.TOO_COSTLY,
}
"""Why there is no verdict, by the reason of a DecodeError; NO_PICTURE for the others."""


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result for one source. `keyframe` and `measurement` are None if the check failed before; `error` says why.

    `trace`: what was said between the engine and the source, if that was asked for.
    """

    source: str
    verdict: Verdict
    keyframe: Keyframe | None = None
    measurement: Measurement | None = None
    error: tuple[str, str] | None = None
    trace: tuple[TraceLine, ...] = ()

    def json(self) -> dict[str, Any]:
        """Return the result as `patrol check --json` prints it: `source`, `verdict` as the API has it, and `error`."""
        message = verdict_message(replace(self.verdict, camera_id=""))
        message.ClearField("name")  # the source may be no camera, and its URL holds a password
        tree: dict[str, Any] = {"source": redact_url(self.source), "verdict": message_json(message)}
        if self.error is not None:
            tree["error"] = {"code": self.error[0], "message": self.error[1]}
        if self.trace:
            tree["trace"] = [
                {"ms": line.after_ms, "side": line.side.name.lower(), "text": line.text} for line in self.trace
            ]
        return tree


def check_sources(
    sources: Sequence[str],
    settings: Settings,
    on_done: Callable[[int], None] = lambda _: None,
    *,
    traced: bool = False,
    tell: Callable[[str], None] = lambda _: None,
) -> Iterator[CheckResult]:
    """Check the sources one after the other; call `on_done` with the number checked. A source that fails is a result
    too. `traced`: record what is said between the engine and each source. `tell` is given a sentence if something else
    than a source takes long. Raises PatrolError for faults of ours, of which no source may be accused."""
    with MeasuringProcess(settings.worker, settings.runtime.confine, tell) as measuring:
        for number, source in enumerate(sources, 1):
            trace = DialogueTrace(source_url(source), monotonic_ns()) if traced else None
            result = _check(source, measuring, settings, trace)
            yield result if trace is None else replace(result, trace=tuple(trace.lines(monotonic_ns())))
            on_done(number)


def _check(source: str, measuring: MeasuringProcess, settings: Settings, trace: DialogueTrace | None) -> CheckResult:
    judge, judge_state = settings.judge, JudgeState()
    fetched = _fetch(source_url(source), settings.feed, trace)
    if trace is not None:
        trace.note(monotonic_ns(), _end_of(fetched))
    if isinstance(fetched, VisitFailure):
        verdict, _ = judge_failure(fetched, wall_ns(), judge_state, judge)
        return CheckResult(source, verdict, error=(fetched.reason.value, fetched.detail))
    try:
        measurement = measuring.measure(fetched)
    except DecodeError as error:
        reason = _REASONS.get(error.reason, UnknownReason.NO_PICTURE)
        verdict, _ = judge_undecoded(source, 0, wall_ns(), reason, str(error), judge_state, judge)
        return CheckResult(source, verdict, fetched, None, (error.reason, str(error)))
    verdict, _ = judge_measurement(measurement, judge_state, judge, only_visit=True)
    return CheckResult(source, verdict, fetched, measurement)


def _end_of(fetched: Keyframe | VisitFailure) -> str:
    if isinstance(fetched, VisitFailure):
        return f"no keyframe: {fetched.reason}, {fetched.detail}"
    return f"a keyframe: {fetched.codec}, {len(fetched.payload):,} bytes"


def _fetch(url: str, feed: FeedSettings, trace: DialogueTrace | None) -> Keyframe | VisitFailure:
    """Visit as the running engine does: RTSP by our own client, all else, and what that cannot, through FFmpeg."""
    KNOWN.add(url)
    order = VisitOrder(0, "", url, ns(feed.deadline_s), route(url))
    if order.via is not FeedKind.RTSP:
        return fetch_now(url, feed, trace=trace)
    outcome = asyncio.run(visit(order, feed, trace=trace))
    retry = fallback_order(order, outcome, feed) if isinstance(outcome, VisitFailure) else None
    if retry is None:
        return outcome
    if trace is not None:
        trace.note(monotonic_ns(), f"{_end_of(outcome)}; FFmpeg tries once more")
    return fetch_now(url, feed, retry.deadline_ns, trace)
