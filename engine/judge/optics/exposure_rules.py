"""Finds a camera whose exposure has changed: its light lies beyond what the camera is used to. Pure.

Much too dark and much too bright pictures are told by their levels (engine/judge/baseline_rules.py). A picture that is
a stop and a half off still shows everything, and only the usual range of the camera's light says that it is wrong.
Against the light, the exposure follows a bright window, and the scene before it is darker than ever.
"""

from typing import NamedTuple

import numpy as np

from engine.config.judge import JudgeSettings
from engine.judge.baseline import CELLS, COLUMNS, ROWS, Baseline
from engine.judge.compare import SceneChange
from engine.judge.optics.light_range import beyond, is_known
from engine.judge.optics.tile_changes import BURNT_LEVEL
from engine.judge.picture_rules import PictureAssessment, relative_excess
from engine.judge.state import JudgeState
from engine.model.measurement import Measurement
from engine.model.verdict import Cause, FaultKind

EXPOSURE_CAUSES = frozenset({Cause.UNDEREXPOSURE, Cause.OVEREXPOSURE, Cause.BACKLIGHT})


CONTRAST_GAIN_MIN = 1.06
"""Contrast, as a share of the usual, from which on a picture has more light and no veil."""


class ExposureChange(NamedTuple):
    """A change of exposure. `stops`: against the usual light; `outside`: beyond its range; `excess`: 0..1, beyond the
    threshold."""

    kind: FaultKind
    cause: Cause
    stops: float
    outside: float
    excess: float

    @property
    def detail(self) -> str:
        """The change in words."""
        way = "below" if self.stops < 0 else "above"
        return f"light {abs(self.stops):.1f} stops {way} the usual, {abs(self.outside):.1f} beyond its range"


def find_exposure_change(
    measurement: Measurement, stops: float, baseline: Baseline, judge_state: JudgeState, settings: JudgeSettings
) -> ExposureChange | None:
    """Return the change of exposure of a picture; None if its light is usual, or if it is not known what is usual.

    `stops`: its light against the baseline's, as in engine.judge.optics.tile_changes.TileChanges.
    """
    if not is_known(baseline.light, measurement.arrival_wall_ns):
        return None
    outside = beyond(baseline.light, stops)
    held = settings.hold if judge_state.announced_cause in EXPOSURE_CAUSES else 1.0
    stops_min = settings.exposure_stops_min * held
    if outside * stops <= 0.0 or abs(stops) < stops_min or abs(outside) < settings.exposure_beyond_min * held:
        return None
    excess = relative_excess(abs(stops), stops_min, 3 * stops_min)
    if stops > 0.0:
        return ExposureChange(FaultKind.TOO_BRIGHT, Cause.OVEREXPOSURE, stops, outside, excess)
    burnt = measurement.figures["clipped_bright_share"] - baseline.figures.clipped_bright_share
    cause = Cause.BACKLIGHT if burnt >= settings.backlight_share_min else Cause.UNDEREXPOSURE
    return ExposureChange(FaultKind.TOO_DARK, cause, stops, outside, excess)


def explains_the_rest(
    exposure: ExposureChange,
    measurement: Measurement,
    change: SceneChange,
    baseline: Baseline,
    settings: JudgeSettings,
) -> bool:
    """Return whether a change of exposure accounts for what other rules would take for a cover or for a veil.

    More light lifts black as a veil does, but it adds contrast, and a veil takes it. A window burns out what is in it.
    """
    if exposure.cause is Cause.BACKLIGHT:
        return _is_hidden_by_light(measurement, change, baseline)
    in_place = change.match >= settings.scene_match_min and change.hidden_share < settings.hidden_share_min
    return exposure.kind is FaultKind.TOO_BRIGHT and in_place and change.contrast >= CONTRAST_GAIN_MIN


def _is_hidden_by_light(measurement: Measurement, change: SceneChange, baseline: Baseline) -> bool:
    """Return whether light from a window hides what is hidden, and not something bright before the lens.

    Of the hidden tiles that are brighter than usual, a quarter are burnt out: in the room's own light nothing is.
    """
    if measurement.tiles is None:
        return True
    usual = baseline.codes[:CELLS].reshape(ROWS, 2, COLUMNS, 2).mean(axis=(1, 3)).ravel()
    levels = measurement.tiles.luma.ravel()
    brighter = change.hidden_evident & (levels > usual)
    return bool(4 * np.count_nonzero(levels[brighter] >= BURNT_LEVEL) >= np.count_nonzero(brighter))


def is_exposure_alone(assessment: PictureAssessment) -> bool:
    """Return whether the only fault of a picture is its exposure, and its light was measured."""
    exposure = len(assessment.kinds) == 1 and assessment.cause in EXPOSURE_CAUSES
    return exposure and "light_stops" in assessment.figures
