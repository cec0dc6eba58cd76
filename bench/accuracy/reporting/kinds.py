"""Makes the tables of hit rates and causes by kind of fault, and of false alarms on good pictures. Pure."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from bench.accuracy import words
from bench.accuracy.findings import Day, Episode, Greasing
from bench.accuracy.greasing import DAYS as GREASING_DAYS
from bench.accuracy.reporting.groups import counts, grouped
from bench.accuracy.reporting.statistics import auc_interval, wilson

Table = dict[str, Any]

_BLURS: Final = ("defocus", "motion")

_CUTS: Final[dict[str, Callable[[Episode | Day], str]]] = {
    "by_size": lambda record: record.rig.size,
    "by_codec": lambda record: f"{record.rig.codec} {record.rig.kbps}",
    "by_light": lambda record: record.rig.light,
}


def kinds_table(episodes: Sequence[Episode], days: Sequence[Day], seed: int) -> Table:
    """Return `hit_rate` by kind, `hits` with their intervals, the same by size, codec, light, strength and detail,
    `causes`, `told_apart`, `motion_told` and `kinds_auc`."""
    counted = sorted((episode for episode in episodes if episode.counted), key=_truth)
    by_strength = sorted(episodes, key=lambda episode: (episode.kind, episode.strength))
    detailed = sorted(
        (episode for episode in counted if episode.detail), key=lambda episode: (episode.kind, episode.detail)
    )
    hits = _rates(counted, _truth)
    return {
        "hit_rate": {kind: rate["value"] for kind, rate in hits.items()},
        "hits": hits,
        "hit_rate_alone": _rates(counted, _truth, alone=True),
        "hit_rate_by": {
            name: {value: _rates(group, _truth) for value, group in sorted(grouped(counted, key).items())}
            for name, key in _CUTS.items()
        },
        "hit_rate_by_strength": _rates(by_strength, lambda episode: f"{episode.kind} {episode.strength:g}"),
        "hit_rate_by_detail": _rates(detailed, lambda episode: f"{episode.kind} {episode.detail}"),
        "causes": _causes(counted, lambda episode: episode.name),
        "causes_alone": _causes(counted, lambda episode: episode.alone_name),
        "told_apart": _told_apart(counted),
        "motion_told": _motion_told(counted),
        "kinds_auc": _kinds_auc(counted, days, seed),
    }


def good_table(days: Sequence[Day]) -> Table:
    """Return `false_alarm_rate` of camera-days, `unknown_rate` of visits, and `good` with their intervals and the same
    by size, codec, light and scene."""
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
                name: {value: _days(group) for value, group in sorted(grouped(days, key).items())}
                for name, key in _CUTS.items()
            },
            "by_scene": {scene: _days(group) for scene, group in sorted(grouped(days, _scene).items())},
            "infrared": _days([day for day in days if day.rig.infrared]),
        },
    }


def films_table(days: Sequence[Day]) -> Table:
    """Return the figures of the good films: none of their days may have a false alarm."""
    return {
        **_days(days),
        "visits": sum(day.visits for day in days),
        "fault_visits": sum(day.faults for day in days),
        "unknown_visits": sum(day.unknown for day in days),
        "false_alarms": [[day.rig.scene, day.announced] for day in days if day.announced],
    }


def greasing_table(greasings: Sequence[Greasing]) -> Table:
    """Return cameras greased over 30 days next to those greased at once; `in_time`: see `is_in_time`."""
    rows = [
        {
            "camera": f"{greasing.rig.scene} {greasing.rig.size} {greasing.rig.light}",
            "announced_day": greasing.announced_day,
            "announced_as": greasing.announced_as,
            "one_shot_strength": None if greasing.one_shot is None else round(greasing.one_shot / GREASING_DAYS, 3),
            "one_shot_as": greasing.one_shot_as,
            "in_time": is_in_time(greasing),
        }
        for greasing in greasings
    ]
    return {"cameras": rows, "in_time": wilson(sum(map(is_in_time, greasings)), len(greasings)).json()}


def is_in_time(greasing: Greasing) -> bool:
    """Return whether grease was announced no later than at the strength that is announced when it comes at once."""
    day = greasing.announced_day
    return day is not None and day <= (greasing.one_shot or GREASING_DAYS)


def _truth(episode: Episode) -> str:
    return episode.truth


def _scene(record: Episode | Day) -> str:
    return record.rig.scene


def _rates(episodes: Sequence[Episode], key: Callable[[Episode], str], *, alone: bool = False) -> Table:
    return {
        name: wilson(sum(episode.alone_hit if alone else episode.hit for episode in group), len(group)).json()
        for name, group in grouped(episodes, key).items()
    }


def _causes(episodes: Sequence[Episode], name_of: Callable[[Episode], str]) -> dict[str, dict[str, int]]:
    """Return the confusion table: by true kind, how often each name was announced."""
    return {truth: counts(map(name_of, group)) for truth, group in grouped(episodes, _truth).items()}


def _told_apart(episodes: Sequence[Episode]) -> Table:
    """Return the shares of steam, grease and defocus that were named correctly; `value`: the mean of the three."""
    by_truth = grouped((episode for episode in episodes if episode.truth in words.TOLD_APART), _truth)
    shares = {
        truth: wilson(sum(episode.name in words.TOLD_APART[truth] for episode in group), len(group))
        for truth, group in by_truth.items()
    }
    value = sum(share.value for share in shares.values()) / len(shares) if shares else None
    return {
        "value": None if value is None else round(value, 4),
        **{truth: share.json() for truth, share in shares.items()},
    }


def _motion_told(episodes: Sequence[Episode]) -> Table:
    """Return the shares of motion and of defocus that were announced with that cause; `value`: the smaller of the two,
    since naming all blurs alike makes one of them perfect."""
    shares = {
        truth: wilson(sum(episode.name == truth for episode in group), len(group))
        for truth, group in grouped((episode for episode in episodes if episode.truth in _BLURS), _truth).items()
    }
    value = min(share.value for share in shares.values()) if len(shares) == len(_BLURS) else None
    return {
        "value": None if value is None else round(value, 4),
        **{truth: share.json() for truth, share in shares.items()},
    }


def _kinds_auc(episodes: Sequence[Episode], days: Sequence[Day], seed: int) -> Table:
    """Return, for each kind that the engine has a figure for, the AUC of that figure: damaged visits against good."""
    table: Table = {}
    for truth, group in grouped(episodes, _truth).items():
        faulty = {
            scene: [episode.kind_figure for episode in in_scene if episode.kind_figure is not None]
            for scene, in_scene in grouped(group, _scene).items()
        }
        good = {
            scene: [figures[truth] for day in in_scene for figures in day.kind_figures if truth in figures]
            for scene, in_scene in grouped(days, _scene).items()
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
