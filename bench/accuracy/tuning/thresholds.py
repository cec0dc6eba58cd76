"""Tunes thresholds of the judge by coordinate search, to measure what tuning on some scenes gives on others. Pure."""

from collections.abc import Callable
from typing import Final

from pydantic import ValidationError

from bench.accuracy.tuning.recording import Tally
from engine.config.judge import JudgeSettings

TUNED: Final = (
    "sharpness_ratio_min",
    "veil_min",
    "steam_veil_min",
    "hidden_share_min",
    "scene_match_min",
    "moved_match_min",
    "noise_rise_min",
    "pattern_rise_min",
    "cast_min",
    "bright_rise_min",
    "dark_fall_max",
)
"""The thresholds that decide hits, one or two for each kind of fault."""

FACTORS: Final = (0.93, 1.07, 0.85, 1.15, 0.7, 1.3)
"""What each threshold is multiplied by, in turn, from its shipped value; the nearest first, which is kept if another is
no better."""
FALSE_ALARM_RATE_MAX: Final = 0.005
_GAIN_MIN: Final = 0.0005
"""Least gain in the mean hit rate for which a threshold is changed: less is no more than one episode of a kind."""


def tuned(evaluate: Callable[[JudgeSettings], Tally], shipped: JudgeSettings) -> tuple[JudgeSettings, Tally]:
    """Return the settings with the best mean hit rate over kinds at a false alarm rate of at most FALSE_ALARM_RATE_MAX,
    or, if none reaches that, the fewest false alarms; and what came of them.

    One threshold after the other is set to the best of its values, in the order of TUNED, once each. `evaluate`:
    what comes of settings on the scenes to tune on; called at most 1 + len(TUNED) * len(FACTORS) times.
    """
    best, best_tally = shipped, evaluate(shipped)
    for name in TUNED:
        from_here = best
        for factor in FACTORS:
            candidate = _with(from_here, name, round(factor * getattr(shipped, name), 6))
            if candidate is None:
                continue
            tally = evaluate(candidate)
            if _is_better(tally, best_tally):
                best, best_tally = candidate, tally
    return best, best_tally


def mean_hit_rate(tally: Tally) -> float:
    """Return the mean of the hit rates of all kinds, each kind counted once, 0..1; 0 if there is none."""
    rates = [found / count for found, count in tally.hits.values() if count]
    return sum(rates) / len(rates) if rates else 0.0


def false_alarm_rate(tally: Tally) -> float:
    """Return the share of good camera-days with a fault announced, 0..1."""
    return tally.false_alarm_days / tally.days if tally.days else 0.0


def _is_better(tally: Tally, than: Tally) -> bool:
    excess, excess_before = (max(0.0, false_alarm_rate(of) - FALSE_ALARM_RATE_MAX) for of in (tally, than))
    if excess != excess_before:
        return excess < excess_before
    return mean_hit_rate(tally) > mean_hit_rate(than) + _GAIN_MIN


def _with(settings: JudgeSettings, name: str, value: float) -> JudgeSettings | None:
    """Return the settings with one changed; None if the value is out of its bounds."""
    try:
        return JudgeSettings(**{**settings.model_dump(), name: value})
    except ValidationError:
        return None
