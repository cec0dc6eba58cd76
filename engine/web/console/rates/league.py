"""Why a row of the league has no place, in words, and how its rate changed."""

from engine.web.console.page import Page
from patrol.v1.patrol_pb2 import LeagueRow


def why_no_place(page: Page, row: LeagueRow) -> str:
    """Return why a row has no place; empty if it has one."""
    if row.place:
        return ""
    rate, formats = row.rate, page.formats()
    if not rate.denominator:
        return page.text("nothing was measured")
    return page.text(
        "only %(measured)s of %(registered)s count; a place needs half",
        measured=formats.number(rate.denominator),
        registered=formats.number(rate.registered),
    )


def change_points(row: LeagueRow) -> float | None:
    """Return by how many percentage points the rate changed against the period before; None if one is missing."""
    if not row.HasField("before") or not row.before.HasField("value") or not row.rate.HasField("value"):
        return None
    return float(row.rate.value - row.before.value) * 100
