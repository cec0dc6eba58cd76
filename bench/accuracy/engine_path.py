"""All that the harness knows of the engine: keyframe in, answer out, by the path that worker and hub take."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from unittest import mock

import numpy as np
import numpy.typing as npt

from engine.batch.check import check_sources
from engine.config.judge import JudgeSettings
from engine.config.schema import FeedSettings, Settings
from engine.decode.decoder import Decoder
from engine.errors import DecodeError
from engine.judge.rules import judge_measurement, judge_undecoded
from engine.judge.state import JudgeState
from engine.kernels import figures
from engine.kernels.warmup import warm_up
from engine.media.keyframe_check import complete_keyframe
from engine.model.keyframe import Codec, Keyframe
from engine.model.measurement import Measurement
from engine.model.verdict import UnknownReason, Verdict
from engine.model.visit import FeedKind
from engine.worker.process import measure

NEVER_SEEN: Final = JudgeState()
SHARPNESS_MIN: Final = JudgeSettings().sharpness_min
"""The shipped threshold: blurred below this score."""
Memory = JudgeState

EVIDENCE: Final[dict[str, tuple[tuple[str, float], ...]]] = {
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
"""The figure by which each kind is told, the first that there is, and its sign: more is worse."""

_BASELINE_FIGURES: Final = ("sharpness_ratio", "sharpness_change", "sharpness_to_baseline")
"""Where a judge with a memory tells sharpness against the camera's own past; more is sharper."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What the engine says of one visit; kinds, cause and reason as the words that the engine itself uses.

    `sharpness`: the score, None where the engine gives none. `relative`: the judge's own figure of sharpness against
    the camera's past, None where it has none.
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
    def evidence(self) -> dict[str, float]:
        """By kind, the figure that tells it; more is worse."""
        scores = self.verdict.scores
        known = dict(self.verdict.figures)
        for name in ("sharpness", "exposure", "occlusion"):
            score = getattr(scores, name)
            if score is not None:
                known[name] = score
        told: dict[str, float] = {}
        for kind, candidates in EVIDENCE.items():
            for name, sign in candidates:
                if name in known:
                    told[kind] = sign * known[name]
                    break
        return told


class Engine:
    """A worker's decoder and kernels, and the judge at its shipped thresholds."""

    def __init__(self) -> None:
        warm_up()
        self._decoder = Decoder()
        self._settings = JudgeSettings()

    def look(self, codec: Codec, payload: bytes, at_wall_ns: int, stream_time_ns: int | None) -> Measurement | str:
        """The measurement of a keyframe, or the reason why there is none."""
        keyframe = Keyframe("camera", 1, codec, payload, at_wall_ns, stream_time_ns, FeedKind.GATEWAY)
        try:
            return measure(self._decoder, keyframe)
        except DecodeError as error:
            return error.reason

    def luma(self, codec: Codec, payload: bytes) -> npt.NDArray[np.uint8]:
        """The luma plane that the kernels see, as a copy; 8-bit codecs only."""
        return np.array(self._decoder.decode(codec, payload).luma, np.uint8)

    def check(self, path: Path) -> Answer:
        """One visit to a file, as `patrol check` does it: through the feed's own demuxer."""
        settings = Settings(feed=FeedSettings(schemes=("file",)))
        return _answer(next(iter(check_sources([str(path)], settings))).verdict)

    def judge(self, seen: Measurement | str, memory: Memory, at_wall_ns: int) -> tuple[Answer, Memory]:
        """One visit: the answer, and what the camera's memory became."""
        if isinstance(seen, str):
            reason = UnknownReason.DAMAGED if seen in ("damaged", "empty") else UnknownReason.NO_PICTURE
            verdict, memory = judge_undecoded("camera", 1, at_wall_ns, reason, seen, memory, self._settings)
        else:
            verdict, memory = judge_measurement(seen, memory, self._settings)
        return _answer(verdict), memory


def taken_keyframe(codec: Codec, payload: bytes, extradata: bytes) -> bytes | None:
    """The payload as a feeder would hand it on; None if it would not take it for a keyframe."""
    return complete_keyframe(codec, payload, extradata)


@contextlib.contextmanager
def without_noise_correction() -> Iterator[None]:
    """The planted bug: energies and edges are taken as they come, with the sensor's noise in them."""
    with mock.patch.object(figures, "NOISE_TAKEN", 0.0):
        yield


def structure_min(verdict: Verdict) -> float:
    """Below that gradient energy (levels^2) a tile shows nothing; for drawing."""
    return float(verdict.thresholds.get("lost_structure_max", 0.6))


def _answer(verdict: Verdict) -> Answer:
    loose: Any = verdict  # older rules know no cause
    cause = str(getattr(loose, "cause", "") or "")
    announced_cause = str(getattr(loose, "announced_cause", "") or cause)
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
