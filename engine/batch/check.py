"""`patrol check`: one visit to each source, decoded, scored and judged in this process, without hub or database."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from engine.clock import ns, wall_ns
from engine.config.schema import Settings
from engine.decode.decoder import Decoder
from engine.errors import DecodeError, PatrolError
from engine.feed.camera_url import check_url, route, source_url
from engine.feed.demux import fetch_now
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
    """One source's answer. `measurement` and `keyframe` are None where it did not come so far."""

    source: str
    verdict: Verdict
    keyframe: Keyframe | None = None
    measurement: Measurement | None = None
    error: tuple[str, str] | None = None

    def json(self) -> dict[str, Any]:
        """The answer as `patrol check --json` prints it."""
        verdict, measured = self.verdict, self.measurement
        return {
            "source": redact(self.source),
            "verdict": verdict.state.value,
            "kinds": [kind.value for kind in verdict.kinds],
            "reason": verdict.reason or None,
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
    """Check one after the other; a source that cannot be had is an answer too, never an exception."""
    decoder = Decoder()
    try:
        for number, source in enumerate(sources, 1):
            yield _check(source, decoder, settings)
            on_done(number)
    finally:
        decoder.close()


def exit_code(answers: Sequence[CheckResult]) -> int:
    """0: all ok. 1: some fault or unknown. 2: some without a picture."""
    if any(answer.measurement is None for answer in answers):
        return EXIT_NO_PICTURE
    return EXIT_OK if all(answer.verdict.state is State.OK for answer in answers) else EXIT_FAULT


def _check(source: str, decoder: Decoder, settings: Settings) -> CheckResult:
    judge, history = settings.judge, JudgeState()
    url = source_url(source)
    try:
        check_url(url, settings.feed.schemes)
    except PatrolError as error:
        verdict, _ = judge_undecoded(source, 0, wall_ns(), UnknownReason.NO_PICTURE, str(error), history, judge)
        return CheckResult(source, verdict, error=(error.code, str(error)))
    end = _fetch(url, settings)
    if isinstance(end, VisitFailure):
        verdict, _ = judge_failure(end, wall_ns(), history, judge)
        return CheckResult(source, verdict, error=(end.reason.value, end.detail))
    try:
        measurement = measure(decoder, end)
    except DecodeError as error:
        reason = UnknownReason.DAMAGED if error.reason in ("damaged", "empty") else UnknownReason.NO_PICTURE
        verdict, _ = judge_undecoded(source, 0, wall_ns(), reason, str(error), history, judge)
        return CheckResult(source, verdict, end, None, (error.reason, str(error)))
    verdict, _ = judge_measurement(measurement, history, judge)
    return CheckResult(source, verdict, end, measurement)


def _fetch(url: str, settings: Settings) -> Keyframe | VisitFailure:
    if route(url) is FeedKind.RTSP:
        return asyncio.run(visit(VisitOrder(0, "", url, ns(settings.feed.deadline_s), FeedKind.RTSP), settings.feed))
    return fetch_now(url, settings.feed)


def _rounded(score: float | None) -> float | None:
    return None if score is None else round(score, 1)
