"""`patrol check`: visits each source once, and decodes, scores and judges the keyframe in this process."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.clock import ns, wall_ns
from engine.config.schema import FeedSettings, Settings
from engine.decode.decoder import Decoder
from engine.errors import DecodeError
from engine.feed.camera_url import route, source_url
from engine.feed.demux import fetch_now
from engine.feed.fallback import fallback_order
from engine.feed.visit import visit
from engine.judge.rules import judge_failure, judge_measurement, judge_undecoded
from engine.judge.state import JudgeState
from engine.model.keyframe import Keyframe
from engine.model.measurement import Measurement
from engine.model.verdict import State, UnknownReason, Verdict
from engine.model.visit import FeedKind, VisitFailure, VisitOrder
from engine.redact import redact
from engine.worker.process import measure

EXIT_OK, EXIT_FAULT, EXIT_NO_PICTURE = 0, 1, 2


@dataclass(frozen=True, slots=True)
class CheckResult:
    """The result for one source. `keyframe` and `measurement` are None if the check failed before; `error` says why."""

    source: str
    verdict: Verdict
    keyframe: Keyframe | None = None
    measurement: Measurement | None = None
    error: tuple[str, str] | None = None

    def json(self) -> dict[str, Any]:
        """Return the result as `patrol check --json` prints it."""
        verdict, measured = self.verdict, self.measurement
        return {
            "source": redact(self.source),
            "verdict": verdict.state.value,
            "kinds": [kind.value for kind in verdict.kinds],
            "reason": verdict.reason or None,
            "detail": verdict.detail or None,
            "scores": {
                "sharpness": _rounded(verdict.scores.sharpness),
                "exposure": _rounded(verdict.scores.exposure),
                "occlusion": _rounded(verdict.scores.occlusion),
            },
            "raw": {name: float(f"{value:.6g}") for name, value in verdict.figures.items()},
            "frame": None
            if measured is None
            else {"width": measured.width, "height": measured.height, "codec": measured.codec.value},
            "error": None if self.error is None else {"code": self.error[0], "message": self.error[1]},
        }


def check_sources(
    sources: Sequence[str], settings: Settings, on_done: Callable[[int], None] = lambda _: None
) -> Iterator[CheckResult]:
    """Check the sources one after the other; call `on_done` with the number checked. A source that fails is a result
    too."""
    decoder = Decoder()
    try:
        for number, source in enumerate(sources, 1):
            yield _check(source, decoder, settings)
            on_done(number)
    finally:
        decoder.close()


def exit_code(results: Sequence[CheckResult]) -> int:
    """Return the exit code: 0 if all are ok, 1 if there is a fault or an unknown, 2 if a source gave no picture."""
    if any(result.measurement is None for result in results):
        return EXIT_NO_PICTURE
    return EXIT_OK if all(result.verdict.state is State.OK for result in results) else EXIT_FAULT


def _check(source: str, decoder: Decoder, settings: Settings) -> CheckResult:
    judge, judge_state = settings.judge, JudgeState()
    fetched = _fetch(source_url(source), settings.feed)
    if isinstance(fetched, VisitFailure):
        verdict, _ = judge_failure(fetched, wall_ns(), judge_state, judge)
        return CheckResult(source, verdict, error=(fetched.reason.value, fetched.detail))
    try:
        measurement = measure(decoder, fetched)
    except DecodeError as error:
        reason = UnknownReason.DAMAGED if error.reason in ("damaged", "empty") else UnknownReason.NO_PICTURE
        verdict, _ = judge_undecoded(source, 0, wall_ns(), reason, str(error), judge_state, judge)
        return CheckResult(source, verdict, fetched, None, (error.reason, str(error)))
    verdict, _ = judge_measurement(measurement, judge_state, judge)
    return CheckResult(source, verdict, fetched, measurement)


def _fetch(url: str, feed: FeedSettings) -> Keyframe | VisitFailure:
    """Visit as the running engine does: RTSP by our own client, all else, and what that cannot, through FFmpeg."""
    order = VisitOrder(0, "", url, ns(feed.deadline_s), route(url))
    if order.via is not FeedKind.RTSP:
        return fetch_now(url, feed)
    outcome = asyncio.run(visit(order, feed))
    retry = fallback_order(order, outcome, feed) if isinstance(outcome, VisitFailure) else None
    return outcome if retry is None else fetch_now(url, feed, retry.deadline_ns)


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 1)
