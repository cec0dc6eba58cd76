"""Ranks counties for the digest by how clear their pictures are and what they leave open. Pure; docs/kpis.md says why.

A county's points are its clarity in per cent, less the open findings per 100 cameras; an overdue finding counts twice.
Counties without an open finding stand before all others, so that nobody wins who leaves findings open while another
leaves none.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from engine.model.kpi import Rate

MEASURED_MIN = 0.5
"""Least share of the registered cameras that must have been measured for a place."""


@dataclass(frozen=True, slots=True)
class Performance:
    """What a county, or a canteen, is ranked by.

    `clarity`: over the whole period. `cameras`: registered cameras on an average day. `open_findings`: at the end of
    the period; `overdue`: those of them that missed a deadline.
    """

    clarity: Rate
    cameras: float
    open_findings: int
    overdue: int


@dataclass(frozen=True, slots=True)
class Rank:
    """`place`: from 1 on, shared by equals; None without a place. `points`: to one decimal; None without a rate."""

    code: str
    place: int | None
    points: float | None


def points(performance: Performance) -> float | None:
    """Return the points, at most 100 and perhaps negative, to one decimal; None if no camera was measured."""
    clarity = performance.clarity.value
    if clarity is None or performance.cameras <= 0:
        return None
    burden = performance.open_findings + performance.overdue
    return round(100 * clarity - 100 * burden / performance.cameras, 1)


def ranking(performances: Mapping[str, Performance]) -> list[Rank]:
    """Return all in their order; those of whom less than MEASURED_MIN was measured come last, without a place.

    Equals share a place; the one that measured more stands first.
    """
    placed: list[tuple[bool, float, float, str]] = []
    others: list[Rank] = []
    for code, performance in sorted(performances.items()):
        got, clarity = points(performance), performance.clarity
        if got is None or clarity.denominator < MEASURED_MIN * clarity.registered:
            others.append(Rank(code, None, got))
        else:
            measured = clarity.measured / max(1, clarity.registered)
            placed.append((performance.open_findings > 0, -got, -measured, code))
    ranks: list[Rank] = []
    place, before = 0, (False, 0.0)
    for number, (leaves_open, less, _, code) in enumerate(sorted(placed), 1):
        if number == 1 or (leaves_open, less) != before:
            place, before = number, (leaves_open, less)
        ranks.append(Rank(code, place, -less))
    return ranks + others
