"""One draw: its strata, its canteens with how far each is, the list for the inspectors' bags, and the draw as CSV."""

from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.csv_replies import csv_reply, csv_text
from engine.web.console.page import Page
from engine.web.console.screens.spot_checks.progress import progress
from engine.web.console.words import Words
from patrol.v1.scheduler_pb2 import GetSpotCheckRequest

_PAGE_ROWS = 25
_STRATA_ROWS = 200
_PAGES_MAX = 20_000
_HEAD = (
    "Draw", "Region code", "Region", "Kind of school", "Earlier findings", "Canteen code", "Canteen",
    "Cameras at fault when drawn", "Round",
)  # fmt: skip
TEXTS = (*_HEAD, "spot-check")
"""What has its Chinese; a test holds that."""


async def show_one(page: Page) -> Response:
    """Show a draw, 25 canteens a page; `county`: only those of a county; `print=1`: for paper."""
    for_paper = bool(forms.choice(page.query, "print", ("1",)))
    county = forms.text(page.query, "county", 6)
    number = forms.number(page.query, "page", 1, 1, _PAGES_MAX)
    check = await _check(page)
    counties = Counter(canteen.county for canteen in check.drawn)
    chosen = [canteen for canteen in check.drawn if county in ("", canteen.county)]
    rows = chosen[(number - 1) * _PAGE_ROWS : number * _PAGE_ROWS]
    visited = await progress(page, rows, check.header.draw_time, for_paper=for_paper)
    values = {
        "check": check,
        "draw": _number(check),
        "county": county,
        "counties": sorted(counties.items()),
        "visited": visited,
        "number": number,
        "pages": max(1, -(-len(chosen) // _PAGE_ROWS)),
        "chosen": len(chosen),
        "rows_max": _STRATA_ROWS,
    }
    if for_paper:
        return await page.render("spot_check_print.html.jinja", **values)
    differs = bool(forms.choice(page.query, "differs", ("1",)))
    ordered = forms.text(page.query, "visited", 10)
    return await page.render("spot_check.html.jinja", **values, differs=differs, ordered=ordered.isdigit() and ordered)


async def export(page: Page) -> Response:
    """Send all canteens of a draw as a file that Excel opens."""
    check = await _check(page)
    parts = [page.text("spot-check"), _number(check)]
    return await csv_reply(_parts(page, check), "-".join(parts) + ".csv", "")


async def _check(page: Page) -> Any:
    draw = forms.number(page.query, "draw", 0, 1, 10**18 - 1)
    if not draw:
        raise InvalidArgumentError("draw", "is missing; follow a link of the console")
    return await page.call(GetSpotCheckRequest(name=f"spotChecks/{draw}"))


async def _parts(page: Page, check: Any) -> AsyncGenerator[str, None]:
    words = Words(page.language)
    rows: list[Sequence[object]] = [[page.text(name) for name in _HEAD]]
    for canteen in check.drawn:
        earlier = page.text("yes") if canteen.with_findings else page.text("no")
        rows.append(
            (
                int(_number(check)),
                canteen.county,
                page.region_name(canteen.county),
                words.site_kind(canteen.kind),
                earlier,
                canteen.site_id,
                canteen.site_name,
                canteen.findings,
                canteen.round,
            )
        )
    yield csv_text(rows)


def _number(check: Any) -> str:
    return str(check.header.name.removeprefix("spotChecks/"))
