"""Draws spot checks: what a draw would give, the draw itself; earlier draws, and the month's coverage."""

import asyncio
import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.page import Page
from engine.web.errors import HttpError, code_name
from patrol.v1.canteens_pb2 import ListCanteensRequest
from patrol.v1.scheduler_pb2 import DrawSpotCheckRequest, GetSpotCheckRequest, ListSpotChecksRequest

KEPT_DRAWS = 60
"""Draws that the engine keeps."""
PREVIEW_ROWS = 100
_SIZE_MAX = 20_000
_SEED_MAX = 2**32 - 1
_DRAW_S = 30.0
_CALLS_AT_ONCE = 4
_TOLD_HERE = ("ABORTED", "NOT_FOUND", "INVALID_ARGUMENT", "PERMISSION_DENIED")


@dataclass(frozen=True)
class Month:
    """How many canteens were drawn this month. `is_partial`: draws of this month may no longer be kept."""

    begin: Any
    draws: int
    drawn: int
    canteens: int
    is_partial: bool


@dataclass(frozen=True)
class DrawForm:
    """What somebody asked to be drawn. `seed`: None: the engine chooses."""

    size: int = 0
    seed: int | None = None
    region: str = ""
    check_now: bool = False

    def request(self, request_id: str, *, validate_only: bool) -> DrawSpotCheckRequest:
        """Return the call."""
        return DrawSpotCheckRequest(
            size=self.size,
            seed=self.seed,
            region_prefix=self.region,
            validate_only=validate_only,
            check_now=self.check_now and not validate_only,
            request_id=request_id,
        )


async def show_all(page: Page) -> Response:
    """Show the month, the form for a draw, and earlier draws."""
    return await _show_all(page, DrawForm(), "")


async def preview(page: Page) -> Response:
    """Show what would be drawn; nothing is stored."""
    form = _read(page)
    try:
        reply = await page.call(form.request("", validate_only=True), _DRAW_S)
    except HttpError as error:
        return await _refused(page, form, error)
    check = reply.spot_check
    drawn = DrawForm(check.header.size, check.header.seed, form.region, form.check_now)
    return await page.render(
        "spot_check_preview.html.jinja", check=check, form=drawn, digest=digest(check), rows_max=PREVIEW_ROWS
    )


async def store(page: Page) -> Response:
    """Draw, store, and show the draw."""
    form = _read(page)
    request_id = forms.text(page.form, "request_id", 64)
    try:
        reply = await page.call(form.request(request_id, validate_only=False), _DRAW_S)
    except HttpError as error:
        return await _refused(page, form, error)
    seen = forms.text(page.form, "digest", 64)
    return page.go_to(
        "/spot-check",
        draw=reply.spot_check.header.name.removeprefix("spotChecks/"),
        differs="1" if seen and seen != digest(reply.spot_check) else "",
        visited=reply.check_now.accepted + reply.check_now.already_in_flight if form.check_now else "",
    )


def digest(check: Any) -> str:
    """Return what differs between draws of other canteens."""
    ids = "\n".join(canteen.site_id for canteen in check.drawn)
    return hashlib.sha256(ids.encode()).hexdigest()[:16]


async def _refused(page: Page, form: DrawForm, error: HttpError) -> Response:
    if code_name(error.status) not in _TOLD_HERE:
        raise error
    return await _show_all(page, form, str(error), error.http)


async def _show_all(page: Page, form: DrawForm, refused: str, status: int = 200) -> Response:
    listed, canteens = await asyncio.gather(
        page.call(ListSpotChecksRequest(page_size=KEPT_DRAWS)), page.call(ListCanteensRequest(page_size=1))
    )
    draws = listed.spot_checks
    month = await _month(page, draws, canteens.total_size)
    return await page.render(
        "spot_checks.html.jinja", status, draws=draws, month=month, form=form, refused=refused, size_max=_SIZE_MAX
    )


async def _month(page: Page, draws: Sequence[Any], canteens: int) -> Month:
    """Return the month's coverage: canteens that were drawn at least once, of all that the caller sees."""
    begin = page.formats().now.astimezone(page.zone).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    own = [draw for draw in draws if draw.draw_time.seconds >= begin.timestamp()]
    turns = asyncio.Semaphore(_CALLS_AT_ONCE)

    async def drawn(name: str) -> set[str]:
        async with turns:
            try:
                check = await page.call(GetSpotCheckRequest(name=name))
            except HttpError as error:
                if code_name(error.status) == "NOT_FOUND":
                    return set()  # a newer draw took its place meanwhile
                raise
            return {canteen.site_id for canteen in check.drawn}

    sites: set[str] = set().union(*await asyncio.gather(*(drawn(draw.name) for draw in own)))
    is_partial = len(draws) >= KEPT_DRAWS and len(own) == len(draws)
    return Month(begin.date(), len(own), len(sites), canteens, is_partial)


def _read(page: Page) -> DrawForm:
    seed = forms.text(page.form, "seed", 10)
    if seed and not (seed.isascii() and seed.isdigit() and int(seed) <= _SEED_MAX):
        raise InvalidArgumentError("seed", f"{seed!r}; allowed: whole numbers from 0 to {_SEED_MAX}")
    return DrawForm(
        size=forms.number(page.form, "size", 0, 0, _SIZE_MAX),
        seed=int(seed) if seed else None,
        region=forms.text(page.form, "region", 6),
        check_now=bool(forms.choice(page.form, "check_now", ("1",))),
    )
