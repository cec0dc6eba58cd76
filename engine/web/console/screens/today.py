"""Today: how the region stands now, what became worse, what is overdue, and how the patrol itself does.

The page asks for all its parts at once. A part that the engine needs long for comes by itself as soon as it is there.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import date, datetime, time, timedelta
from functools import partial
from typing import Any
from weakref import WeakKeyDictionary

from starlette.responses import Response

from engine.web.console import forms
from engine.web.console.console import Console, Handler
from engine.web.console.page import Page
from engine.web.console.rates.period import period_of, today_of
from engine.web.console.rates.sums import RATES
from engine.web.console.screens.screen import Action, Screen
from engine.web.console.today import health, links, standing, standing_text, trend, urgent, worse
from engine.web.console.today.kept import Kept
from engine.web.console.today.regions import asked_region, trail

PARTS = ("rates", "areas", "worse", "urgent", "health")
FIRST_PAGE_S = 0.08
"""How long the page waits for its parts."""
_ROWS_SHOWN = 20
_COUNTY_DIGITS = 6


class Today:
    """The page, and each of its parts by itself."""

    def __init__(self, console: Console) -> None:
        self._map = console.map
        self._kept = Kept()
        self._parts: dict[str, Callable[[Page, dict[str, Any]], Awaitable[Any]]] = {
            "rates": self._rates,
            "areas": self._areas,
            "worse": self._worse,
            "urgent": self._urgent,
            "health": self._health,
        }

    async def show(self, page: Page) -> Response:
        """Show the page; `?region=13` for a part of the country, `?show=offline` to colour the areas otherwise."""
        whole = bool(forms.text(page.query, "whole", 1))
        values = self._values(page)
        wait_s = None if whole else FIRST_PAGE_S
        found = await asyncio.gather(*(self._part(name, page, values, wait_s) for name in PARTS))
        parts = dict(zip(PARTS, found, strict=True))
        return await page.render("today.html.jinja", parts=parts, names=PARTS, **values)

    def part(self, name: str) -> Handler:
        """Return what answers a request for one part."""

        async def answer(page: Page) -> Response:
            values = self._values(page)
            part = await self._part(name, page, values, None)
            return await page.render("today_part.html.jinja", name=name, parts={name: part}, **values)

        return answer

    def _values(self, page: Page) -> dict[str, Any]:
        region = asked_region(page)
        return {
            "region": region,
            "show": forms.choice(page.query, "show", standing.FIGURES, standing.FIGURES[0]),
            "all_areas": bool(forms.text(page.query, "all", 1)),
            "trail": trail(page, region),
            "links": links,
        }

    async def _part(self, name: str, page: Page, values: dict[str, Any], wait_s: float | None) -> Any:
        """Return what a part's template shows; None if it takes longer than `wait_s`. Raises HttpError."""
        try:
            async with asyncio.timeout(wait_s):
                return await self._parts[name](page, values)
        except TimeoutError:
            return None

    async def _ask(self, name: str, page: Page, region: str, make: Callable[[], Awaitable[Any]]) -> Any:
        return await self._kept.value((name, page.caller.region, region), make)

    async def _rates(self, page: Page, values: dict[str, Any]) -> Any:
        region, today = values["region"], today_of(page)
        found = await self._ask(f"rates {today}", page, region, lambda: trend.ask(page, region, today))
        return {
            "trends": found,
            "today": today,
            "size": (trend.SPARK_WIDTH, trend.SPARK_HEIGHT),
            "days": trend.DAYS,
            "urls": {kpi: _url(page, region, name, found.day, today) for name, kpi in RATES.items()},
        }

    async def _areas(self, page: Page, values: dict[str, Any]) -> Any:
        region, show = values["region"], values["show"]
        found: standing.Standing = await self._ask("areas", page, region, lambda: standing.ask(page, region))
        drawing = await self._map.drawing(frozenset(code for code in found.areas if code))
        ranked = standing.worst_first(found.areas, show)
        shown = ranked if values["all_areas"] else ranked[:_ROWS_SHOWN]
        figures = {code: standing.figure(tally, show) for code, tally in found.areas.items()}
        drawn = {shape.code for shape in drawing.shapes} if drawing else set()
        return {
            "standing": found,
            "drawing": drawing,
            "tiles": [code for code in found.areas if code not in drawn],
            "figures": figures,
            "titles": {
                code: standing_text.title(page, code, found.areas[code], figure, show)
                for code, figure in figures.items()
            },
            "legend": standing.legend(show),
            "rows": shown,
            "left_out": len(ranked) - len(shown),
            "problem": self._map.problem if page.may("operator") else "",
        }

    async def _worse(self, page: Page, values: dict[str, Any]) -> Any:
        region = values["region"]
        since = today_of(page) - timedelta(days=1)
        began = datetime.combine(since, time(), page.zone)
        found = await self._ask(f"worse {since}", page, region, lambda: worse.ask(page, region, began))
        return {"worse": found, "since": since}

    async def _urgent(self, page: Page, values: dict[str, Any]) -> Any:
        region = values["region"]
        return await self._ask("urgent", page, region, lambda: urgent.ask(page, region))

    async def _health(self, page: Page, values: dict[str, Any]) -> Any:
        region = values["region"]
        found: health.Health = await self._ask("health", page, region, lambda: health.ask(page, region))
        return {"lines": health.lines(page, found), "status": found.status, "schedule": found.schedule}


def _url(page: Page, region: str, rate: str, day: date | None, today: date) -> str:
    """Return the URL of what a rate is made of on its latest day: regions in order, in a county its canteens."""
    shown = day or today
    query = period_of("today" if shown == today else "own", shown.isoformat(), shown.isoformat(), today).query
    if len(region) == _COUNTY_DIGITS:
        return page.url("/kpis", region=region, by="canteen", **query)
    return page.url("/kpis/league", region=region, rate=rate, **query)


_MADE: "WeakKeyDictionary[Console, Today]" = WeakKeyDictionary()


def _of(console: Console) -> Today:
    """Return the page's own object of a console: all its paths share what is kept."""
    return _MADE.setdefault(console, Today(console))


def _part(name: str, console: Console) -> Handler:
    return _of(console).part(name)


SCREEN = Screen(
    "/",
    "Today",
    (
        Action("/", lambda console: _of(console).show, "today", needs_console=True),
        *(Action(f"/today/{name}", partial(_part, name), f"today-{name}", needs_console=True) for name in PARTS),
    ),
)
