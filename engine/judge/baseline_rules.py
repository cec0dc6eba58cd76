"""Assesses one picture against its camera's baseline: kinds of fault with their cause and place. Pure.

The checks run in this order: is there a signal, is there light, is it the usual scene, is a part of it hidden, is it
veiled or blurred, is the signal clean. If the scene is gone, its sharpness is not assessed.

A veil lifts black and takes contrast. A film of grease does so too, but blurs far more than steam of the same
thickness; a defocused lens and a shaking camera blur and leave black black. So the ratio of octaves of veil to octaves
of blur tells the three apart.
"""

import math
from collections.abc import Collection
from dataclasses import replace

import numpy as np

from engine.clock import NS_PER_S
from engine.config.judge import JudgeSettings
from engine.judge.baseline import Baseline
from engine.judge.blur_direction import directional_loss
from engine.judge.compare import SceneChange, visible_match
from engine.judge.displacement import Displacement, find_displacement
from engine.judge.optics.drop_rules import find_drops
from engine.judge.optics.exposure_rules import ExposureChange, explains_the_rest, find_exposure_change
from engine.judge.optics.tile_changes import TileChanges
from engine.judge.picture_rules import (
    Mask,
    PictureAssessment,
    assess_picture,
    brightness_problem,
    is_signal_lost,
    light_cause,
    ordered,
    relative_excess,
)
from engine.judge.signal_rules import signal_faults
from engine.judge.state import JudgeState
from engine.model.measurement import Measurement
from engine.model.verdict import Cause, FaultKind, UnknownReason

_NS_PER_H = 3_600 * NS_PER_S
_STRUCTURE_TOLERANCE = 0.05
"""Structure varies more than edges do from visit to visit, so its ratio must be lower by this to count."""
_ANISOTROPY_MIN = 0.4
"""Octaves between the sharpness of x and y from which on a blur is motion and not defocus, whatever the slopes say."""

# Sets are made once: a member of an enumeration is hashed in Python.
_LIGHT = frozenset({FaultKind.TOO_DARK, FaultKind.TOO_BRIGHT})
_SCENE_GONE = frozenset({FaultKind.COVERED, FaultKind.MOVED})
_CAST = frozenset({FaultKind.COLOUR_CAST})
_SIGNAL = frozenset({FaultKind.COLOUR_CAST, FaultKind.NOISY, FaultKind.SNOW, FaultKind.STRIPES})
_BLURS = frozenset({FaultKind.BLURRED, FaultKind.GREASE})


def assess_against_baseline(
    measurement: Measurement,
    change: SceneChange,
    baseline: Baseline,
    judge_state: JudgeState,
    settings: JudgeSettings,
    tile_changes: TileChanges | None = None,
) -> PictureAssessment:
    """Assess an undamaged picture by how it differs from the baseline.

    `tile_changes`: of its tiles; None against the baseline of the other mode, which has another light.
    """
    if is_signal_lost(measurement, settings):
        return assess_picture(measurement, settings)
    assessment = _Assessment(change)
    _check_light(assessment, measurement, baseline, settings)
    lit = measurement.figures["luma_mean"] >= settings.light_min
    exposure = None
    if tile_changes is not None and tile_changes.stops is not None:
        assessment.figures["light_stops"] = tile_changes.stops
        exposure = find_exposure_change(measurement, tile_changes.stops, baseline, judge_state, settings)
    if exposure is not None and explains_the_rest(exposure, measurement, change, baseline, settings):
        assessment.add_exposure(exposure)
    light_fault = not assessment.kinds.isdisjoint(_LIGHT)
    if measurement.figures["luma_mean"] >= settings.light_min / 2:
        _check_scene(assessment, baseline, judge_state, settings)
    if not light_fault and assessment.kinds.isdisjoint(_SCENE_GONE):
        _check_signal(assessment, measurement, baseline, settings)
    if not light_fault and assessment.kinds <= _CAST:
        _check_optics(assessment, measurement, baseline, judge_state, settings)
    if exposure is not None and assessment.kinds <= _SIGNAL and assessment.hidden is None:
        assessment.add_exposure(exposure)
    usual_light = tile_changes is not None and abs(tile_changes.stops or 0.0) < settings.exposure_stops_min
    if tile_changes is not None and usual_light and not assessment.kinds:
        _check_drops(assessment, tile_changes, baseline, judge_state, settings)
    if FaultKind.MOVED in assessment.kinds and FaultKind.BLURRED in assess_picture(measurement, settings).kinds:
        assessment.add(FaultKind.BLURRED, 0.0)  # another scene has no baseline to be compared with
    if not assessment.kinds and not lit:
        return PictureAssessment(unknown=UnknownReason.TOO_DARK_TO_JUDGE, figures=assessment.figures)
    if assessment.kinds and assessment.cause is None:
        assessment.cause = light_cause(measurement, assessment.kinds, settings)
        too_dark = FaultKind.TOO_DARK in assessment.kinds
        if too_dark and assessment.cause is None and change.match >= settings.dark_match_min:
            assessment.cause = Cause.LIGHTS_OFF
    if not assessment.kinds and change.sharpness is None and change.structure is None:
        return replace(assess_picture(measurement, settings), figures=assessment.figures)
    return assessment.result(settings)


class _Assessment:
    """Collects what the checks find."""

    def __init__(self, change: SceneChange) -> None:
        self.change = change
        self.kinds: set[FaultKind] = set()
        self.cause: Cause | None = None
        self.tiles: Mask | None = None
        self.hidden: Mask | None = None
        self.spots = b""
        self.detail = ""
        self._excesses: list[float] = []
        self.figures = {
            "scene_match": change.match,
            "contrast_left": change.contrast,
            "veil": change.veil,
            "hidden_share": change.hidden_share,
            "cast": change.cast,
        }
        self._set_figure("sharpness_ratio", sharpness_ratio(change))
        self._set_figure("season_ratio", change.season_sharpness)
        self._set_figure("structure_change", change.structure)

    def _set_figure(self, name: str, value: float | None) -> None:
        if value is not None:
            self.figures[name] = value

    def add(self, kind: FaultKind, excess: float, cause: Cause | None = None) -> None:
        """Add a kind that is `excess` (0..1) beyond its threshold. The first cause given is kept."""
        self.kinds.add(kind)
        self.cause = self.cause or cause
        self._excesses.append(excess)

    def add_exposure(self, exposure: ExposureChange) -> None:
        """Add a change of exposure, with its cause and in words."""
        self.cause = exposure.cause
        self.detail = exposure.detail
        self.add(exposure.kind, exposure.excess)

    def result(self, settings: JudgeSettings) -> PictureAssessment:
        """Return the assessment as a value."""
        confidence = self._confidence(settings)
        return PictureAssessment(
            ordered(self.kinds),
            self.cause,
            None,
            confidence,
            self.tiles,
            self.hidden,
            self.figures,
            self.detail,
            self.spots,
        )

    def _confidence(self, settings: JudgeSettings) -> float:
        """Return the confidence of the most certain kind; of an ok picture, how well it fits the baseline."""
        if self.kinds:
            return 0.5 + 0.5 * max(self._excesses)
        ratio = self.figures.get("sharpness_ratio", settings.sharpness_ratio_min)
        fit = min(
            relative_excess(ratio, settings.sharpness_ratio_min, 1.0),
            relative_excess(self.change.match, settings.scene_match_min, 0.9),
        )
        return 0.5 + 0.5 * fit


def sharpness_ratio(change: SceneChange) -> float | None:
    """Return the steepness of edges relative to the usual; of a picture too plain for edges, an estimate from its
    structure. None if neither can be measured."""
    return _structure_ratio(change) if change.sharpness is None else change.sharpness


def _held_ratio(ratio_min: float, settings: JudgeSettings) -> float:
    """Return the threshold of a ratio while its fault is announced: higher, so that the fault stays announced."""
    return min(0.98, ratio_min * (2.0 - settings.hold))


def _structure_ratio(change: SceneChange) -> float | None:
    """Estimate the sharpness ratio from structure, which falls about three times as fast as the steepness of edges."""
    fall = _structure_fall(change)
    return None if fall is None else float(2.0 ** (-fall / 3.0))


def _structure_fall(change: SceneChange) -> float | None:
    """Return the octaves of structure that are lost beyond what contrast takes, whose square it goes with; None if it
    cannot be measured."""
    if change.structure is None:
        return None
    return max(0.0, 2.0 * math.log2(max(0.05, min(1.0, change.contrast))) - change.structure)


def _check_light(
    assessment: _Assessment, measurement: Measurement, baseline: Baseline, settings: JudgeSettings
) -> None:
    figures, usual, change = measurement.figures, baseline.figures, assessment.change
    mean = figures["luma_mean"]
    # A bright cloth is not too much light, and black paint is not too little.
    partly_hidden = change.hidden_share >= settings.hidden_share_min
    dark = max(settings.dark_mean_max, min(1.5 * settings.dark_mean_max, settings.dark_fall_max * usual.luma_mean))
    if mean < dark:
        if not (partly_hidden and change.light >= settings.light_kept_min):
            assessment.add(FaultKind.TOO_DARK, relative_excess(mean, dark, dark / 2))
        return
    rise = mean - usual.luma_mean
    clipped_rise = figures["clipped_bright_share"] - usual.clipped_bright_share
    if rise < settings.bright_rise_min / 2 or change.light < settings.bright_gain_min:
        return
    brighter = rise >= settings.bright_rise_min and clipped_rise >= settings.bright_clipped_rise_min
    burnt = clipped_rise >= settings.bright_clipped_share_min
    by_itself = not partly_hidden and brightness_problem(measurement, settings) is not None
    if brighter or burnt or by_itself:
        excess = relative_excess(rise, settings.bright_rise_min, 2 * settings.bright_rise_min)
        assessment.add(FaultKind.TOO_BRIGHT, excess)


def _check_scene(assessment: _Assessment, baseline: Baseline, judge_state: JudgeState, settings: JudgeSettings) -> None:
    """Check whether the usual scene is in its place, elsewhere in the picture, or gone."""
    change = assessment.change
    light_fault = not assessment.kinds.isdisjoint(_LIGHT)
    if change.match < (settings.dark_match_min if light_fault else settings.scene_match_min):
        lost_structure = change.structure is not None and change.structure < -settings.covered_structure_fall
        lost_structure = lost_structure or change.spread < settings.covered_spread_max
        visible = visible_match(change)
        in_place = visible is not None and visible >= settings.kept_match_min
        shift = find_displacement(*change.highpassed)
        if not in_place and _is_turned(shift, settings):
            assessment.figures |= {"shift_across": shift.across, "shift_down": shift.down, "shift_match": shift.match}
            assessment.add(FaultKind.MOVED, relative_excess(shift.match, settings.moved_match_min, 1.0))
            return
        if lost_structure and change.contrast < settings.covered_contrast_max:
            assessment.tiles = assessment.hidden = change.hidden
            assessment.add(FaultKind.COVERED, relative_excess(change.match, settings.scene_match_min, 0.0))
            return
        if change.match < settings.scene_gone_max and not lost_structure and not in_place:
            assessment.add(FaultKind.MOVED, relative_excess(change.match, settings.scene_gone_max, 0.0))
            return
    if not light_fault:
        _check_hidden_part(assessment, baseline, judge_state, settings)


def _check_hidden_part(
    assessment: _Assessment, baseline: Baseline, judge_state: JudgeState, settings: JudgeSettings
) -> None:
    """Check whether a part of the scene is hidden on two visits in a row.

    People come and go: after a visit with hidden tiles, only tiles that are still hidden count, unless more is hidden
    at both visits than people in the room hide (`held_share_min`). A person who stood there while the baseline was
    young has left a trace in it, and a tile that lacks this trace is not hidden: so the check needs
    `hidden_visits_min` visits.
    """
    change = assessment.change
    if change.hidden_share < settings.hidden_share_min * settings.hold:
        return
    assessment.hidden = change.hidden
    if baseline.visits < settings.hidden_visits_min or _is_veiled_all_over(change, settings):
        return
    hidden = change.hidden
    if judge_state.hidden:
        earlier = np.unpackbits(np.frombuffer(judge_state.hidden, np.uint8)).astype(np.bool_)
        if min(np.count_nonzero(earlier), np.count_nonzero(hidden)) < settings.held_share_min * _seen_tiles(change):
            hidden = hidden & earlier
    share = np.count_nonzero(hidden) / _seen_tiles(change)
    held = FaultKind.PARTLY_COVERED in judge_state.announced_kinds
    share_min = settings.hidden_share_min * (settings.hold if held else 1.0)
    if share < share_min or np.count_nonzero(change.hidden_evident) < settings.hidden_structured_min:
        return
    ratio, ratio_min = change.sharpness, settings.sharpness_ratio_min
    if ratio is not None and ratio < ratio_min:
        assessment.add(FaultKind.BLURRED, relative_excess(ratio, ratio_min, ratio_min / 2))
    whole = bool(share >= settings.covered_hidden_share_min)
    whole = whole or change.structured_hidden_share >= settings.covered_told_share_min
    whole = whole or (change.structure_top is not None and change.structure_top <= -settings.covered_top_fall)
    assessment.tiles = hidden
    assessment.add(
        FaultKind.COVERED if whole else FaultKind.PARTLY_COVERED,
        relative_excess(share, settings.hidden_share_min, 0.5),
    )


def _seen_tiles(change: SceneChange) -> float:
    """Return how many tiles `hidden_share` is a share of: those that no privacy mask covers."""
    hidden = int(np.count_nonzero(change.hidden))
    return hidden / change.hidden_share if hidden else float(change.hidden.size)


def _is_veiled_all_over(change: SceneChange, settings: JudgeSettings) -> bool:
    """Return whether hidden tiles are explained by a veil over the scene: it is in its place, and no part is spared."""
    spared = change.structure_top is not None and change.structure_top >= -settings.veil_spared_fall_max
    in_part = spared and change.structured_hidden_share >= settings.veil_told_share_max
    return change.match >= settings.veil_match_min and change.veil >= settings.veil_min and not in_part


def _is_turned(shift: Displacement, settings: JudgeSettings) -> bool:
    distance = max(abs(shift.across), abs(shift.down))
    return shift.match >= settings.moved_match_min and distance >= settings.moved_share_min


def _check_optics(
    assessment: _Assessment,
    measurement: Measurement,
    baseline: Baseline,
    judge_state: JudgeState,
    settings: JudgeSettings,
) -> None:
    """Check for steam, grease and blur."""
    change, announced = assessment.change, judge_state.announced_kinds
    ratio, structure = sharpness_ratio(change), _structure_ratio(change)
    blur_announced = not _BLURS.isdisjoint(announced)
    ratio_min = settings.sharpness_ratio_min
    held_ratio_min = _held_ratio(ratio_min, settings) if blur_announced else ratio_min
    veil_min = settings.veil_min * (settings.hold if FaultKind.STEAM in announced else 1.0)
    veiled = change.veil >= veil_min
    lost_structure = structure is not None and structure < held_ratio_min - _STRUCTURE_TOLERANCE
    soft = not veiled and _is_soft(change, announced, settings)
    if not veiled and ratio is not None and structure is not None and (lost_structure or soft):
        ratio = min(ratio, structure)  # the edges left to compare are few, or those of coding blocks
    blur = -math.log2(max(ratio, 0.01)) if ratio is not None else 0.0
    assessment.figures["blur_octaves"] = blur
    veil_share = change.veil / max(blur, 0.02)
    if veiled and veil_share >= settings.steam_veil_min:
        excess = relative_excess(change.veil, settings.veil_min, 3 * settings.veil_min)
        assessment.add(FaultKind.STEAM, excess, Cause.STEAM)
    elif ratio is not None and (ratio < held_ratio_min or soft):
        excess = relative_excess(ratio, ratio_min, ratio_min / 2)
        if veil_share >= settings.grease_veil_min:
            assessment.add(FaultKind.GREASE, excess, Cause.GREASE)
        else:
            assessment.add(FaultKind.BLURRED, excess, _blur_cause(assessment, measurement, baseline))
    elif _is_greasing(change, judge_state, measurement.arrival_wall_ns, settings):
        assessment.add(FaultKind.GREASE, 0.2, Cause.GREASE)


def _is_soft(change: SceneChange, announced: Collection[FaultKind], settings: JudgeSettings) -> bool:
    """Return whether so much structure is lost that the picture is blurred although its edges are steep: at night, a
    codec makes edges of the noise that is left where a blur has taken the scene's own."""
    fall, hold = _structure_fall(change), settings.hold if FaultKind.BLURRED in announced else 1.0
    return fall is not None and fall >= settings.structure_fall_min * hold


def _check_drops(
    assessment: _Assessment,
    tile_changes: TileChanges,
    baseline: Baseline,
    judge_state: JudgeState,
    settings: JudgeSettings,
) -> None:
    """Check for drops on the lens at two visits in a row."""
    drops = find_drops(tile_changes, assessment.change, _seen_tiles(assessment.change), baseline, judge_state, settings)
    if drops is None:
        return
    assessment.spots = tile_changes.spots
    assessment.figures |= {"spot_share": drops.share, "spot_soft_share": drops.soft_share}
    if drops.excess is not None:
        assessment.tiles = drops.mask
        assessment.add(FaultKind.BLURRED, drops.excess, Cause.DROPS)


def _blur_cause(assessment: _Assessment, measurement: Measurement, baseline: Baseline) -> Cause:
    loss = directional_loss(measurement.figures, baseline.figures)
    if loss is not None:
        assessment.figures["blur_anisotropy"] = loss.anisotropy
    is_motion = assessment.change.anisotropy >= _ANISOTROPY_MIN or (loss is not None and loss.is_motion)
    return Cause.MOTION if is_motion else Cause.DEFOCUS


def _is_greasing(change: SceneChange, judge_state: JudgeState, at_wall_ns: int, settings: JudgeSettings) -> bool:
    """Return whether pictures have been a little softer than the season average for long, at every visit."""
    if change.season_sharpness is None:
        return False
    ratio_min = settings.season_ratio_min
    if FaultKind.GREASE in judge_state.announced_kinds:
        return change.season_sharpness < _held_ratio(ratio_min, settings)
    lasting = at_wall_ns - judge_state.soft_since_wall_ns >= settings.season_hours_min * _NS_PER_H
    often = judge_state.soft_visits + 1 >= settings.season_visits_min
    return change.season_sharpness < ratio_min and often and lasting


def _check_signal(
    assessment: _Assessment, measurement: Measurement, baseline: Baseline, settings: JudgeSettings
) -> None:
    """Check for noise, stripes and a colour cast."""
    figures, change = measurement.figures, assessment.change
    for fault in signal_faults(figures, baseline.figures, settings):
        assessment.add(*fault)
    veiled = change.veil >= settings.veil_min  # steam takes colour too
    if figures["luma_mean"] >= settings.cast_light_min and not veiled and change.cast >= settings.cast_min:
        excess = relative_excess(change.cast, settings.cast_min, 3 * settings.cast_min)
        assessment.add(FaultKind.COLOUR_CAST, excess)
