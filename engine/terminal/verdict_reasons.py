"""Says in sentences why a verdict is what it is: the figures that decided, each with the limit it is compared with.

The limits are those that the verdict carries: they may have changed since. Pure.
"""

from collections.abc import Iterator
from typing import NamedTuple

from engine.model.verdict import FaultKind, State, Verdict
from engine.terminal.formatting import why_text


class _Rule(NamedTuple):
    """A figure, and the setting under `judge` that it is compared with. `from_limit`: a fault from the limit on; else
    below it. `percent`: shares, shown in percent."""

    figure: str
    limit: str
    words: str
    from_limit: bool
    percent: bool = False


_SHARE = True
_RULES: dict[FaultKind, tuple[_Rule, ...]] = {
    FaultKind.BLURRED: (
        _Rule("sharpness_ratio", "sharpness_ratio_min", "sharpness compared with the usual", False, _SHARE),
        _Rule("sharpness", "sharpness_min", "sharpness", False),
    ),
    FaultKind.TOO_DARK: (_Rule("luma_mean", "dark_mean_max", "mean level", False),),
    FaultKind.TOO_BRIGHT: (
        _Rule("luma_mean", "bright_mean_min", "mean level", True),
        _Rule("luma_p5", "bright_shadow_min", "shadows at level", True),
        _Rule("luma_p99", "bright_highlight_min", "highlights at level", True),
        _Rule("clipped_bright_share", "bright_clipped_share_min", "burnt-out share of the picture", True, _SHARE),
    ),
    FaultKind.LOW_CONTRAST: (_Rule("contrast_span", "contrast_span_min", "levels between dark and bright", False),),
    FaultKind.COVERED: (
        _Rule("scene_match", "scene_match_min", "likeness to the usual scene", False),
        _Rule("contrast_left", "covered_contrast_max", "contrast left of the usual", False, _SHARE),
        _Rule("hidden_share", "covered_hidden_share_min", "hidden share of the usual scene", True, _SHARE),
        _Rule("structureless_share", "covered_share_min", "share without structure", True, _SHARE),
    ),
    FaultKind.PARTLY_COVERED: (
        _Rule("hidden_share", "hidden_share_min", "hidden share of the usual scene", True, _SHARE),
        _Rule("structureless_share", "partly_covered_share_min", "share without structure", True, _SHARE),
    ),
    FaultKind.FROZEN: (_Rule("same_visits", "frozen_visits", "visits in a row with the same picture", True),),
    FaultKind.SIGNAL_LOSS: (_Rule("flat_share", "flat_share_min", "share without any noise", True, _SHARE),),
    FaultKind.MOVED: (
        _Rule("scene_match", "scene_match_min", "likeness to the usual scene", False),
        _Rule("shift_match", "moved_match_min", "likeness once shifted", True),
    ),
    FaultKind.STEAM: (_Rule("veil", "veil_min", "veil over the usual scene, in octaves", True),),
    FaultKind.GREASE: (
        _Rule("sharpness_ratio", "sharpness_ratio_min", "sharpness compared with the usual", False, _SHARE),
        _Rule("season_ratio", "season_ratio_min", "sharpness compared with the season", False, _SHARE),
    ),
    FaultKind.COLOUR_CAST: (_Rule("cast", "cast_min", "shift of the colours", True),),
    FaultKind.NOISY: (_Rule("noise_floor", "noise_rise_min", "noise; to the usual it may add", True),),
    FaultKind.SNOW: (_Rule("noise_floor", "snow_noise_min", "noise", True),),
    FaultKind.STRIPES: (
        _Rule("row_pattern", "pattern_rise_min", "pattern of the rows; to the usual it may add", True),
        _Rule("column_pattern", "pattern_rise_min", "pattern of the columns; to the usual it may add", True),
    ),
}
_RISES = frozenset({"noise_rise_min", "pattern_rise_min"})
"""Limits of what may be added to the usual figure, which the verdict does not carry."""


def reasons(verdict: Verdict) -> Iterator[str]:
    """Yield the sentences: what the visit showed, the figures that decided, and how that became the announcement."""
    why = why_text(verdict)
    yield f"this visit: {verdict.state}{f', {why}' if why else ''}{_sure(verdict)}"
    if verdict.detail:
        yield verdict.detail
    figures = _figures(verdict)
    for kind in verdict.kinds:
        for rule in _RULES.get(kind, ()):
            value, limit = figures.get(rule.figure), verdict.thresholds.get(rule.limit)
            if value is not None and limit is not None:
                yield f"{kind}: {_compared(rule, value, limit)}"
    if verdict.figures and "baseline_visits" in verdict.figures:
        visits = verdict.figures["baseline_visits"]
        needed = verdict.thresholds.get("baseline_visits_min", 0)
        if visits < needed:
            yield f"judged by itself: the usual picture is known from {visits:.0f} visits, and {needed:.0f} are needed"
        else:
            yield f"compared with the usual picture, known from {visits:.0f} visits"
    yield from _confirmation(verdict)


def _figures(verdict: Verdict) -> dict[str, float]:
    figures = dict(verdict.figures)
    if verdict.scores.sharpness is not None and "sharpness_ratio" not in figures:
        figures["sharpness"] = verdict.scores.sharpness
    if "luma_p95" in figures and "luma_p5" in figures:
        figures["contrast_span"] = figures["luma_p95"] - figures["luma_p5"]
    return figures


def _compared(rule: _Rule, value: float, limit: float) -> str:
    shown, at = _number(value, rule.percent), _number(limit, rule.percent)
    setting = f"(judge.{rule.limit})"
    if rule.limit in _RISES:
        return f"{rule.words} {at}: {shown} {setting}"
    side = "from" if rule.from_limit else "below"
    reached = value >= limit if rule.from_limit else value < limit
    verb = "a fault" if reached else "not reached; a fault"
    return f"{rule.words} {shown}: {verb} {side} {at} {setting}"


def _number(value: float, percent: bool) -> str:
    if percent:
        return f"{100 * value:.0f} %"
    return f"{value:.0f}" if abs(value) >= 10 or value == int(value) else f"{value:.2f}"


def _sure(verdict: Verdict) -> str:
    """Say how far the figures lie from the limits; only of pictures."""
    return f" (confidence {verdict.confidence:.2f}: 0.5 is on the limit)" if verdict.width and verdict.kinds else ""


def _confirmation(verdict: Verdict) -> Iterator[str]:
    needed, visits = verdict.thresholds.get("confirm_n"), verdict.thresholds.get("confirm_m")
    recover = verdict.thresholds.get("recover_n")
    if needed is None or visits is None or recover is None:
        return
    rule = f"{needed:.0f} of the last {visits:.0f} visits must agree (judge.confirm_n, confirm_m)"
    ends = f"ok is announced after {recover:.0f} ok visits in a row (judge.recover_n)"
    if verdict.state is verdict.announced and verdict.kinds == verdict.announced_kinds:
        if verdict.state is not State.OK:
            yield f"announced: {rule}"
    elif verdict.state is State.OK:
        yield f"still announced: {verdict.announced}, {', '.join(verdict.announced_kinds) or 'as before'}; {ends}"
    else:
        said = ", ".join((verdict.announced, *verdict.announced_kinds))
        yield f"announced is still: {said}; {rule}"
