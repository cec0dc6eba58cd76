"""Makes the table of cameras whose pictures have bars, masks or a banner, beside the same cameras without. Pure."""

from collections.abc import Sequence
from typing import Any

from bench.accuracy.findings import Day, Episode
from bench.accuracy.reporting.groups import counts
from bench.accuracy.reporting.statistics import wilson

PLAIN = "none"


def frames_table(episodes: Sequence[Episode], days: Sequence[Day]) -> dict[str, Any]:
    """Return hit rates and false alarms by kind of frame; `hits_lost`: points by which faults are found less often than
    without a frame; `false_alarm_rate`: of camera-days with a frame. None where nothing was measured."""
    kinds = sorted({day.rig.frame for day in days})
    framed = [day for day in days if day.rig.frame]
    plain_rate, framed_rate = (
        _rate([episode for episode in episodes if bool(episode.rig.frame) == has]) for has in (False, True)
    )
    return {
        "by_frame": {kind or PLAIN: _row(kind, episodes, days) for kind in kinds},
        "camera_days": len(framed),
        "false_alarm_rate": round(sum(bool(day.announced) for day in framed) / len(framed), 5) if framed else None,
        "hits_lost": None if plain_rate is None or framed_rate is None else round(100 * (plain_rate - framed_rate), 2),
    }


def _row(kind: str, episodes: Sequence[Episode], days: Sequence[Day]) -> dict[str, Any]:
    of_kind = [episode for episode in episodes if episode.rig.frame == kind]
    good = [day for day in days if day.rig.frame == kind]
    missed = counts(f"{episode.truth} as {episode.name}" for episode in of_kind if not episode.hit)
    return {
        "hits": wilson(sum(episode.hit for episode in of_kind), len(of_kind)).json(),
        "missed": missed,
        "camera_days": len(good),
        "false_alarm_days": sum(bool(day.announced) for day in good),
        "announced": counts(day.announced for day in good if day.announced),
        "alone_fault_visits": sum(day.alone_faults for day in good),
        "unknown_visits": sum(day.unknown for day in good),
    }


def _rate(episodes: Sequence[Episode]) -> float | None:
    return sum(episode.hit for episode in episodes) / len(episodes) if episodes else None
