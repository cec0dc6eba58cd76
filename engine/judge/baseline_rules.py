"""What one picture shows against its camera's baseline: kinds of fault with their cause and place. Pure.

In this order: is it a picture at all, is there light, is the scene the usual one, is a part of it gone, is it veiled or
blurred, are its signals clean. Where the scene is gone nothing is said of its sharpness.

A veil lifts black and takes contrast; a film of grease does so too, but blurs far more than steam of the same thickness
does; a lens out of focus and a shaking camera blur and leave black black. So octaves of veil over octaves of blur tell
the three apart.
"""

import math
from dataclasses import replace

import numpy as np

from engine.clock import NS_PER_S
from engine.config.judge import JudgeSettings
from engine.judge.baseline import Baseline
from engine.judge.compare import Change, kept_match
from engine.judge.displacement import Displacement, find_shift
from engine.judge.picture_rules import (
    Mask,
    PictureFindings,
    light_cause,
    look_alone,
    margin,
    ordered,
    signal_lost,
    too_bright,
)
from engine.judge.state import JudgeState
from engine.model.measurement import Measurement
from engine.model.verdict import Cause, FaultKind, UnknownReason

_NS_PER_H = 3_600 * NS_PER_S
_STRUCTURE_DOUBT = 0.05
"""Structure varies more than edges do from visit to visit."""
_GAINED = 0.7
"""Noise in a picture darker than that share of the usual light is that of the camera's gain."""
_ONE_SIDED = 0.4
"""Octaves by which the sharpness of x and y differ in a picture that was shaken, and not out of focus."""

# Sets are made once: a member of an enumeration is hashed in Python.
_LIGHT = frozenset({FaultKind.TOO_DARK, FaultKind.TOO_BRIGHT})
_GONE = frozenset({FaultKind.COVERED, FaultKind.MOVED})
_CAST = frozenset({FaultKind.COLOUR_CAST})
_BLURS = frozenset({FaultKind.BLURRED, FaultKind.GREASE})


def look_against(
    measurement: Measurement, change: Change, baseline: Baseline, history: JudgeState, settings: JudgeSettings
) -> PictureFindings:
    """Compare a whole picture with what the camera usually shows."""
    if signal_lost(measurement, settings):
        return look_alone(measurement, settings)
    found = _BaselineFindings(change)
    _light(found, measurement, baseline, settings)
    lit = measurement.figures["luma_mean"] >= settings.light_min
    light = not found.kinds.isdisjoint(_LIGHT)
    if measurement.figures["luma_mean"] >= settings.light_min / 2:
        _scene(found, baseline, history, settings)
    if not light and found.kinds.isdisjoint(_GONE):
        _signal(found, measurement, baseline, settings)
    if not light and found.kinds <= _CAST:
        _optics(found, history, measurement.arrival_wall_ns, settings)
    if found.kinds and FaultKind.MOVED in found.kinds and FaultKind.BLURRED in look_alone(measurement, settings).kinds:
        found.add(FaultKind.BLURRED, 0.0)  # another scene has no past to be compared with
    if not found.kinds and not lit:
        return PictureFindings(unknown=UnknownReason.TOO_DARK_TO_JUDGE, figures=found.figures)
    if found.kinds and found.cause is None:
        found.cause = light_cause(measurement, found.kinds, settings)
        if FaultKind.TOO_DARK in found.kinds and found.cause is None and change.match >= settings.dark_match_min:
            found.cause = Cause.LIGHTS_OFF
    if not found.kinds and change.sharpness is None and change.structure is None:
        alone = look_alone(measurement, settings)
        return replace(alone, figures=found.figures)
    sure = found.confidence(settings)
    return PictureFindings(ordered(found.kinds), found.cause, None, sure, found.tiles, found.hidden, found.figures)


class _BaselineFindings:
    """What was found so far."""

    def __init__(self, change: Change) -> None:
        self.change = change
        self.kinds: set[FaultKind] = set()
        self.cause: Cause | None = None
        self.tiles: Mask | None = None
        self.hidden: Mask | None = None
        self._sure: list[float] = []
        self.figures = {
            "scene_match": change.match,
            "contrast_left": change.contrast,
            "veil": change.veil,
            "hidden_share": change.hidden_share,
            "cast": change.cast,
        }
        self._put("sharpness_ratio", sharpness_ratio(change))
        self._put("season_ratio", change.season)
        self._put("structure_change", change.structure)

    def _put(self, name: str, value: float | None) -> None:
        if value is not None:
            self.figures[name] = value

    def add(self, kind: FaultKind, sure: float, cause: Cause | None = None) -> None:
        """One more kind, 0..1 beyond its threshold."""
        self.kinds.add(kind)
        self.cause = self.cause or cause
        self._sure.append(sure)

    def confidence(self, settings: JudgeSettings) -> float:
        """Of the surest kind; of an ok picture, how well it fits the baseline."""
        if self.kinds:
            return 0.5 + 0.5 * max(self._sure)
        ratio = self.figures.get("sharpness_ratio", settings.sharpness_ratio_min)
        fits = min(
            margin(ratio, settings.sharpness_ratio_min, 1.0), margin(self.change.match, settings.scene_match_min, 0.9)
        )
        return 0.5 + 0.5 * fits


def sharpness_ratio(change: Change) -> float | None:
    """Steepness of edges against their usual one; of a picture too plain for edges, what its structure says of it."""
    return _structure_ratio(change) if change.sharpness is None else change.sharpness


def _easier(least: float, settings: JudgeSettings) -> float:
    """The threshold of a ratio while its fault is announced."""
    return min(0.98, least * (2.0 - settings.hold))


def _structure_ratio(change: Change) -> float | None:
    """Structure falls with the square of contrast, and about three times as fast as the steepness of edges."""
    if change.structure is None:
        return None
    fell = min(0.0, change.structure - 2.0 * math.log2(max(0.05, min(1.0, change.contrast))))
    return float(2.0 ** (fell / 3.0))


def _light(found: _BaselineFindings, measurement: Measurement, baseline: Baseline, settings: JudgeSettings) -> None:
    figures, usual, change = measurement.figures, baseline.usual, found.change
    mean = figures["luma_mean"]
    plain = change.hidden_share >= settings.hidden_share_min  # bright cloth is no light, and black paint no want of it
    dark = max(settings.dark_mean_max, min(1.5 * settings.dark_mean_max, settings.dark_fall_max * usual.luma_mean))
    if mean < dark:
        if not (plain and change.light >= settings.light_kept_min):
            found.add(FaultKind.TOO_DARK, margin(mean, dark, dark / 2))
        return
    risen, clipped = mean - usual.luma_mean, figures["clipped_bright_share"] - usual.clipped_bright_share
    if risen < settings.bright_rise_min / 2 or change.light < settings.bright_gain_min:
        return
    brighter = risen >= settings.bright_rise_min and clipped >= settings.bright_clipped_rise_min
    burnt = clipped >= settings.bright_clipped_share_min
    alone = not plain and too_bright(measurement, settings) is not None
    if brighter or burnt or alone:
        found.add(FaultKind.TOO_BRIGHT, margin(risen, settings.bright_rise_min, 2 * settings.bright_rise_min))


def _scene(found: _BaselineFindings, baseline: Baseline, history: JudgeState, settings: JudgeSettings) -> None:
    """Is the usual scene there, elsewhere in the picture, or gone?"""
    change = found.change
    light = not found.kinds.isdisjoint(_LIGHT)
    if change.match < (settings.dark_match_min if light else settings.scene_match_min):
        fell = change.structure is not None and change.structure < -settings.covered_structure_fall
        fell = fell or change.spread < settings.covered_spread_max
        kept = kept_match(change)
        here = kept is not None and kept >= settings.kept_match_min
        shift = find_shift(*change.highs)
        if not here and _is_turned(shift, settings):
            found.figures |= {"shift_across": shift.across, "shift_down": shift.down, "shift_match": shift.match}
            found.add(FaultKind.MOVED, margin(shift.match, settings.moved_match_min, 1.0))
            return
        if fell and change.contrast < settings.covered_contrast_max:
            found.tiles = found.hidden = change.hidden
            found.add(FaultKind.COVERED, margin(change.match, settings.scene_match_min, 0.0))
            return
        if change.match < settings.scene_gone_max and not fell and not here:
            found.add(FaultKind.MOVED, margin(change.match, settings.scene_gone_max, 0.0))
            return
    if not light:
        _part(found, baseline, history, settings)


def _part(found: _BaselineFindings, baseline: Baseline, history: JudgeState, settings: JudgeSettings) -> None:
    """People come and go: after a visit that showed something hidden, only what is hidden still counts.

    Who stood there when the baseline was young has left a trace in it, and what hides a trace hides nothing.
    """
    change = found.change
    if change.hidden_share < settings.hidden_share_min * settings.hold:
        return
    found.hidden = change.hidden
    if baseline.visits < settings.hidden_visits_min:
        return
    beside = change.structure_top is not None and change.structure_top >= -settings.veil_spared_fall_max
    in_part = beside and change.told_share >= settings.veil_told_share_max
    if change.match >= settings.veil_match_min and change.veil >= settings.veil_min and not in_part:
        return
    hidden = change.hidden
    if history.hidden:
        hidden = hidden & np.unpackbits(np.frombuffer(history.hidden, np.uint8)).astype(np.bool_)
    share = np.count_nonzero(hidden) / hidden.size
    least = settings.hidden_share_min * (settings.hold if FaultKind.PARTLY_COVERED in history.announced_kinds else 1.0)
    if share < least or np.count_nonzero(change.telling) < settings.hidden_structured_min:
        return
    ratio = change.sharpness
    if ratio is not None and ratio < settings.sharpness_ratio_min:
        found.add(FaultKind.BLURRED, margin(ratio, settings.sharpness_ratio_min, settings.sharpness_ratio_min / 2))
    whole = share >= settings.covered_hidden_share_min or change.told_share >= settings.covered_told_share_min
    whole = whole or (change.structure_top is not None and change.structure_top <= -settings.covered_top_fall)
    found.tiles = hidden
    found.add(FaultKind.COVERED if whole else FaultKind.PARTLY_COVERED, margin(share, settings.hidden_share_min, 0.5))


def _is_turned(shift: Displacement, settings: JudgeSettings) -> bool:
    apart = max(abs(shift.across), abs(shift.down))
    return shift.match >= settings.moved_match_min and apart >= settings.moved_share_min


def _optics(found: _BaselineFindings, history: JudgeState, at_wall_ns: int, settings: JudgeSettings) -> None:
    change, held = found.change, history.announced_kinds
    ratio, structure = sharpness_ratio(change), _structure_ratio(change)
    blur_held = not _BLURS.isdisjoint(held)
    sharp_min = _easier(settings.sharpness_ratio_min, settings) if blur_held else settings.sharpness_ratio_min
    veil_min = settings.veil_min * (settings.hold if FaultKind.STEAM in held else 1.0)
    veiled = change.veil >= veil_min
    if not veiled and ratio is not None and structure is not None and structure < sharp_min - _STRUCTURE_DOUBT:
        ratio = min(ratio, structure)  # few edges were left to compare, or those of coding blocks
    blur = -math.log2(max(ratio, 0.01)) if ratio is not None else 0.0
    found.figures["blur_octaves"] = blur
    share = change.veil / max(blur, 0.02)
    if veiled and share >= settings.steam_veil_min:
        found.add(FaultKind.STEAM, margin(change.veil, settings.veil_min, 3 * settings.veil_min), Cause.STEAM)
    elif ratio is not None and ratio < sharp_min:
        sure = margin(ratio, settings.sharpness_ratio_min, settings.sharpness_ratio_min / 2)
        if share >= settings.grease_veil_min:
            found.add(FaultKind.GREASE, sure, Cause.GREASE)
        else:
            found.add(FaultKind.BLURRED, sure, _blur_cause(change))
    elif _is_greasing(change, history, at_wall_ns, settings):
        found.add(FaultKind.GREASE, 0.2, Cause.GREASE)


def _blur_cause(change: Change) -> Cause:
    return Cause.MOTION if change.sidedness >= _ONE_SIDED else Cause.DEFOCUS


def _is_greasing(change: Change, history: JudgeState, at_wall_ns: int, settings: JudgeSettings) -> bool:
    """Softer than in the season, a little, but at every visit and for long."""
    if change.season is None:
        return False
    least = settings.season_ratio_min
    if FaultKind.GREASE in history.announced_kinds:
        return change.season < _easier(least, settings)
    lasting = at_wall_ns - history.soft_since_wall_ns >= settings.season_hours_min * _NS_PER_H
    return change.season < least and history.soft_visits + 1 >= settings.season_visits_min and lasting


def _signal(found: _BaselineFindings, measurement: Measurement, baseline: Baseline, settings: JudgeSettings) -> None:
    figures, usual, change = measurement.figures, baseline.usual, found.change
    noise = figures["noise_floor"]
    if noise >= settings.noise_ratio_min * usual.noise_floor and noise - usual.noise_floor >= settings.noise_rise_min:
        kind = FaultKind.SNOW if noise >= settings.snow_noise_min else FaultKind.NOISY
        gained = figures["luma_mean"] < _GAINED * usual.luma_mean
        sure = margin(noise - usual.noise_floor, settings.noise_rise_min, settings.snow_noise_min)
        found.add(kind, sure, Cause.LOW_LIGHT if gained else None)
    for name in ("row_pattern", "column_pattern"):
        risen = figures[name] - 2.0 * getattr(usual, name)
        if risen >= settings.pattern_rise_min:
            found.add(FaultKind.STRIPES, margin(risen, settings.pattern_rise_min, 3 * settings.pattern_rise_min))
    veiled = change.veil >= settings.veil_min  # steam takes colour too
    if figures["luma_mean"] >= settings.cast_light_min and not veiled and change.cast >= settings.cast_min:
        found.add(FaultKind.COLOUR_CAST, margin(change.cast, settings.cast_min, 3 * settings.cast_min))
