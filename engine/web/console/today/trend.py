"""The rates of a region day by day: today's beside the day before, and a line of the last two weeks."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from engine.web.console.page import Page
from engine.web.console.rates.sums import KPIS, Sum, ask_days
from patrol.v1.patrol_pb2 import Kpi

DAYS = 14
SPARK_WIDTH, SPARK_HEIGHT = 140, 36
_MARGIN = 3.0
_SPAN_MIN = 0.02
"""So that a change of a tenth of a per cent does not look like a collapse."""


@dataclass(frozen=True)
class Trend:
    """A rate on the latest day with counts, on the day with counts before it, and on all days asked for.

    `lines`: points of the sparkline, one list for each run of days that have the rate. `last`: its last point.
    """

    kpi: Kpi
    now: Sum
    before: Sum | None
    lines: tuple[str, ...]
    last: tuple[float, float] | None
    least: float
    most: float
    days: int


@dataclass(frozen=True)
class Trends:
    """`day`: the latest with counts, `before`: the one before it. Both None: nothing was counted yet."""

    rates: tuple[Trend, ...]
    day: date | None
    before: date | None


async def ask(page: Page, region: str, today: date) -> Trends:
    """Return the rates of the last days. Raises HttpError."""
    days = await ask_days(page, region, today - timedelta(days=DAYS - 1), today)
    return trends(days, today)


def trends(days: dict[date, dict[Kpi, Sum]], today: date) -> Trends:
    """Return the rates of days with counts as trends that end with the latest of them."""
    known = sorted(days)
    if not known:
        return Trends((), None, None)
    day, before = known[-1], known[-2] if len(known) > 1 else None
    found = []
    for kpi in KPIS:
        values = [_value(days, today - timedelta(days=ago), kpi) for ago in reversed(range(DAYS))]
        lines, last, least, most = _spark(values)
        measured = sum(value is not None for value in values)
        found.append(
            Trend(kpi, days[day][kpi], days[before][kpi] if before else None, lines, last, least, most, measured)
        )
    return Trends(tuple(found), day, before)


def _value(days: dict[date, dict[Kpi, Sum]], day: date, kpi: Kpi) -> float | None:
    return days[day][kpi].value if day in days else None


def _spark(values: Sequence[float | None]) -> tuple[tuple[str, ...], tuple[float, float] | None, float, float]:
    """Return the lines of a sparkline, its last point, its least and its greatest value.

    It is drawn between the least and the greatest value, but over at least _SPAN_MIN.
    """
    known = [value for value in values if value is not None]
    if not known:
        return (), None, 0.0, 0.0
    least, most = min(known), max(known)
    span = max(most - least, _SPAN_MIN)
    low = (least + most - span) / 2
    step = (SPARK_WIDTH - 2 * _MARGIN) / max(1, len(values) - 1)
    runs: list[list[tuple[float, float]]] = [[]]
    for place, value in enumerate(values):
        if value is None:
            runs.append([])
            continue
        y = SPARK_HEIGHT - _MARGIN - (value - low) / span * (SPARK_HEIGHT - 2 * _MARGIN)
        runs[-1].append((round(_MARGIN + place * step, 1), round(y, 1)))
    last = next(run[-1] for run in reversed(runs) if run)
    return tuple(" ".join(f"{x},{y}" for x, y in run) for run in runs if len(run) > 1), last, least, most
