"""The harness's only access to the engine: a keyframe in, an answer out, by the same path as in worker and hub."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np
import numpy.typing as npt

from engine.batch.check import check_sources
from engine.config.feed import FeedSettings
from engine.config.judge import JudgeSettings
from engine.config.schema import Settings
from engine.decode.decoder import Decoder
from engine.errors import DecodeError
from engine.judge.rules import judge_measurement, judge_undecoded
from engine.judge.state import JudgeState
from engine.kernels import figures
from engine.kernels.warmup import warm_up
from engine.media.keyframe_check import complete_keyframe
from engine.model.active_area import ActiveArea
from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.verdict import UnknownReason, Verdict
from engine.model.visit import FeedKind
from engine.worker.process import measure

NEVER_SEEN: Final = JudgeState()
SHARPNESS_MIN: Final = JudgeSettings().sharpness_min
"""The shipped threshold: blurred below this score."""

KIND_FIGURES: Final[dict[str, tuple[tuple[str, float], ...]]] = {
    "defocus": (("sharpness", -1.0),),
    "motion": (("sharpness", -1.0),),
    "too_dark": (("luma_mean", -1.0),),
    "too_bright": (("exposure", -1.0),),
    "covered": (("hidden_share", 1.0), ("lost_structure_share", 1.0), ("occlusion", 1.0)),
    "partly_covered": (("hidden_share", 1.0), ("lost_structure_share", 1.0), ("occlusion", 1.0)),
    "moved": (("scene_match", -1.0),),
    "frozen": (("same_visits", 1.0),),
    "signal_loss": (("flat_share", 1.0),),
    "steam": (("veil", 1.0),),
    "grease": (("sharpness_ratio", -1.0), ("sharpness", -1.0)),
    "colour_cast": (("cast", 1.0),),
    "noisy": (("noise_floor", 1.0),),
    "snow": (("noise_floor", 1.0),),
}
"""The figures that show each kind, of which the first available is used, and the sign that makes more worse."""

_BASELINE_FIGURES: Final = ("sharpness_ratio", "sharpness_change", "sharpness_to_baseline")
"""Names of the figure of sharpness against the camera's baseline, in any version of the rules; more is sharper."""


@dataclass(frozen=True, slots=True)
class Answer:
    """The engine's answer to one visit; kinds, cause and reason are the engine's own words.

    `sharpness`: the score, None if the engine gives none. `relative`: the judge's figure of sharpness against the
    baseline, None if there is none.
    """

    state: str
    kinds: tuple[str, ...]
    cause: str
    reason: str
    announced: str
    announced_kinds: tuple[str, ...]
    announced_cause: str
    sharpness: float | None
    relative: float | None
    verdict: Verdict

    @property
    def kind_figures(self) -> dict[str, float]:
        """By kind, the figure that shows it; more is worse."""
        scores = self.verdict.scores
        available = dict(self.verdict.figures)
        for name in ("sharpness", "exposure", "occlusion"):
            score = getattr(scores, name)
            if score is not None:
                available[name] = score
        figures: dict[str, float] = {}
        for kind, candidates in KIND_FIGURES.items():
            for name, sign in candidates:
                if name in available:
                    figures[kind] = sign * available[name]
                    break
        return figures


class Engine:
    """A worker's decoder and kernels, and the judge with `settings`; without them, at its shipped thresholds."""

    def __init__(self, settings: JudgeSettings | None = None) -> None:
        warm_up()
        self._decoder = Decoder()
        self._settings = settings or JudgeSettings()

    def measure(
        self,
        codec: Codec,
        payload: bytes,
        at_wall_ns: int,
        stream_time_ns: int | None,
        known_area: ActiveArea | None = None,
    ) -> Measurement | str:
        """Return the measurement of a keyframe, or the reason why there is none. `known_area`: the camera's active
        area."""
        keyframe = Keyframe("camera", 1, codec, payload, at_wall_ns, stream_time_ns, FeedKind.GATEWAY)
        try:
            return measure(self._decoder, keyframe, known_area)
        except DecodeError as error:
            return error.reason

    def luma(self, codec: Codec, payload: bytes) -> npt.NDArray[np.uint8]:
        """Return a copy of the luma plane that the kernels measure; 8-bit codecs only."""
        return np.array(self._decoder.decode(codec, payload).luma, np.uint8)

    def check(self, path: Path) -> Answer:
        """Return the answer to one visit to a file as `patrol check` makes it, through the feed's own demuxer."""
        settings = Settings(feed=FeedSettings(schemes=("file",)))
        return _answer(next(iter(check_sources([str(path)], settings))).verdict)

    def judge(
        self, measurement: Measurement | str, judge_state: JudgeState, at_wall_ns: int
    ) -> tuple[Answer, JudgeState]:
        """Judge one visit; return the answer and the new judge state. `measurement`: as `measure` returns it."""
        if isinstance(measurement, str):
            reason = UnknownReason.DAMAGED if measurement in ("damaged", "empty") else UnknownReason.NO_PICTURE
            verdict, judge_state = judge_undecoded(
                "camera", 1, at_wall_ns, reason, measurement, judge_state, self._settings
            )
        else:
            # What is asked is what one picture shows. A patrol believes the faults of a JPEG at the second visit only,
            # and JPEG is how most pictures of the plan are coded.
            verdict, judge_state = judge_measurement(measurement, judge_state, self._settings, only_visit=True)
        return _answer(verdict), judge_state


def keyframe_payload(codec: Codec, payload: bytes, extradata: bytes) -> bytes | None:
    """Return the payload as a feeder would pass it on; None if a feeder would not accept it as a keyframe."""
    return complete_keyframe(codec, payload, extradata)


@contextlib.contextmanager
def without_noise_correction() -> Iterator[None]:
    """Plant a bug: the sensor's noise is not subtracted from energies and edges."""
    with mock.patch.object(figures, "NOISE_CORRECTION", 0.0):
        yield


def structure_min(verdict: Verdict) -> float:
    """Return the gradient energy (levels^2) below which a tile shows nothing; for drawing."""
    return float(verdict.thresholds.get("lost_structure_max", 0.6))


def _answer(verdict: Verdict) -> Answer:
    untyped: Any = verdict  # verdicts of older rules have no cause
    cause = str(getattr(untyped, "cause", "") or "")
    announced_cause = str(getattr(untyped, "announced_cause", "") or cause)
    relative = next((verdict.figures[name] for name in _BASELINE_FIGURES if name in verdict.figures), None)
    return Answer(
        state=verdict.state.value,
        kinds=tuple(kind.value for kind in verdict.kinds),
        cause=cause,
        reason=verdict.reason,
        announced=verdict.announced.value,
        announced_kinds=tuple(kind.value for kind in verdict.announced_kinds),
        announced_cause=announced_cause,
        sharpness=verdict.scores.sharpness,
        relative=relative,
        verdict=verdict,
    )
