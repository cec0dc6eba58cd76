"""How well each kind of fault is found and named, and how quiet good pictures are. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bench.accuracy import words
from bench.accuracy.findings import Day, Episode, Greasing
from bench.accuracy.greasing import DAYS as GREASING_DAYS
from bench.accuracy.groups import counts, grouped
from bench.accuracy.statistics import auc_interval, wilson

Table = dict[str, Any]

_CUTS: Final[dict[str, Callable[[Episode | Day], str]]] = {
    "by_size": lambda one: one.rig.size,
    "by_codec": lambda one: f"{one.rig.codec} {one.rig.kbps}",
    "by_light": lambda one: one.rig.light,
}


def kinds_table(episodes: Sequence[Episode], days: Sequence[Day], seed: int) -> Table:
    """`hit_rate` by kind, `hits` with their intervals, cuts, `causes`, `told_apart`, `kinds_auc`."""
    counted = sorted((one for one in episodes if one.counted), key=lambda one: one.truth)
    every = sorted(episodes, key=lambda one: (one.kind, one.strength))
    detailed = sorted((one for one in counted if one.detail), key=lambda one: (one.kind, one.detail))
    hits = _rates(counted, lambda one: one.truth)
    return {
        "hit_rate": {kind: rate["value"] for kind, rate in hits.items()},
        "hits": hits,
        "hit_rate_alone": _rates(counted, lambda one: one.truth, alone=True),
        "hit_rate_by": {
            name: {key: _rates(group, lambda one: one.truth) for key, group in sorted(grouped(counted, cut).items())}
            for name, cut in _CUTS.items()
        },
        "hit_rate_by_strength": _rates(every, lambda one: f"{one.kind} {one.strength:g}"),
        "hit_rate_by_detail": _rates(detailed, lambda one: f"{one.kind} {one.detail}"),
        "causes": _causes(counted, lambda one: one.named),
        "causes_alone": _causes(counted, lambda one: one.alone_named),
        "told_apart": _told_apart(counted),
        "kinds_auc": _areas(counted, days, seed),
    }


def good_table(days: Sequence[Day]) -> Table:
    """`false_alarm_rate` of camera-days, `unknown_rate` of visits, and `good` with their intervals and cuts."""
    visits = sum(day.visits for day in days)
    false = sum(bool(day.announced) for day in days)
    unknown = sum(day.unknown for day in days)
    return {
        "false_alarm_rate": round(false / len(days), 5) if days else None,
        "unknown_rate": round(unknown / visits, 5) if visits else None,
        "good": {
            "camera_days": len(days),
            "visits": visits,
            "false_alarm_days": wilson(false, len(days)).json(),
            "false_alarms_announced": counts(day.announced for day in days if day.announced),
            "unknown": wilson(unknown, visits).json(),
            "fault": wilson(sum(day.faults for day in days), visits).json(),
            "alone_fault": wilson(sum(day.alone_faults for day in days), visits).json(),
            "alone_unknown": wilson(sum(day.alone_unknown for day in days), visits).json(),
            **{
                name: {key: _days(group) for key, group in sorted(grouped(days, cut).items())}
                for name, cut in _CUTS.items()
            },
            "by_scene": {key: _days(group) for key, group in sorted(grouped(days, lambda day: day.rig.scene).items())},
            "infrared": _days([day for day in days if day.rig.infrared]),
        },
    }


def films_table(days: Sequence[Day]) -> Table:
    """Good films as they were found: none of their days may have a false alarm."""
    return {
        **_days(days),
        "visits": sum(day.visits for day in days),
        "fault_visits": sum(day.faults for day in days),
        "unknown_visits": sum(day.unknown for day in days),
        "false_alarms": [[day.rig.scene, day.announced] for day in days if day.announced],
    }


def greasing_table(greasings: Sequence[Greasing]) -> Table:
    """Cameras greased over 30 days beside those greased at once; `in_time`: announced no later than that strength."""
    rows = [
        {
            "camera": f"{one.rig.scene} {one.rig.size} {one.rig.light}",
            "announced_day": one.announced_day,
            "announced_as": one.announced_as,
            "one_shot_strength": None if one.one_shot is None else round(one.one_shot / GREASING_DAYS, 3),
            "one_shot_as": one.one_shot_as,
            "in_time": in_time(one),
        }
        for one in greasings
    ]
    return {"cameras": rows, "in_time": wilson(sum(map(in_time, greasings)), len(greasings)).json()}


def in_time(one: Greasing) -> bool:
    """Announced, and no later than a film of the strength that is announced when it comes at once."""
    return one.announced_day is not None and one.announced_day <= (one.one_shot or GREASING_DAYS)


def _rates(episodes: Sequence[Episode], key: Callable[[Episode], str], *, alone: bool = False) -> Table:
    return {
        name: wilson(sum(one.alone_hit if alone else one.hit for one in group), len(group)).json()
        for name, group in grouped(episodes, key).items()
    }


def _causes(episodes: Sequence[Episode], named: Callable[[Episode], str]) -> dict[str, dict[str, int]]:
    """The confusion table: what was done, and how often each word was announced for it."""
    return {truth: counts(map(named, group)) for truth, group in grouped(episodes, lambda one: one.truth).items()}


def _told_apart(episodes: Sequence[Episode]) -> Table:
    """Share of steam, grease and defocus named as what they are; `value`: the mean of the three shares."""
    by_truth = grouped((one for one in episodes if one.truth in words.TOLD_APART), lambda one: one.truth)
    each = {
        truth: wilson(sum(one.named in words.TOLD_APART[truth] for one in group), len(group))
        for truth, group in by_truth.items()
    }
    value = sum(one.value for one in each.values()) / len(each) if each else None
    return {"value": None if value is None else round(value, 4), **{truth: one.json() for truth, one in each.items()}}


def _areas(episodes: Sequence[Episode], days: Sequence[Day], seed: int) -> Table:
    """Of each kind for which the engine has a figure: the AUC of that figure, damaged visits against good ones."""
    table: Table = {}
    for truth, group in grouped(episodes, lambda one: one.truth).items():
        faulty = {
            scene: [one.evidence for one in same if one.evidence is not None]
            for scene, same in grouped(group, lambda one: one.rig.scene).items()
        }
        good = {
            scene: [visit[truth] for day in same for visit in day.evidence if truth in visit]
            for scene, same in grouped(days, lambda day: day.rig.scene).items()
        }
        if any(faulty.values()) and any(good.values()):
            table[truth] = auc_interval(faulty, good, seed).json()
    return table


def _days(group: Sequence[Day]) -> Mapping[str, float | int]:
    visits = sum(day.visits for day in group)
    return {
        "camera_days": len(group),
        "false_alarm_days": sum(bool(day.announced) for day in group),
        "unknown_rate": round(sum(day.unknown for day in group) / max(1, visits), 4),
    }
