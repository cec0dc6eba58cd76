"""The figures of a camera over time: as data for plots, and as a table for those who cannot see plots."""

from typing import Any

import orjson
from starlette.responses import Response

from engine.web.console import forms, names
from engine.web.console.page import Page
from patrol.v1.patrol_pb2 import ListVerdictsRequest
from patrol.v1.verdicts_pb2 import VIEW_FULL, VerdictState

POINTS_MAX = 500
_PAGE_ROWS = 100
_PAGES_MAX = 8
"""The engine may have smaller pages than asked for."""
_PERCENT = 100.0
_SCORES = ("sharpness", "exposure", "occlusion")
_DECIMALS = 2


async def data(page: Page) -> Response:
    """Return the last figures of a camera as JSON, oldest first: times in seconds, a value or null for each.

    `limits`: what the latest verdict was compared with; `band`: what the usual picture allows, in percent of it.
    """
    name = names.asked_camera(page.query)
    verdicts: list[Any] = []
    token = ""
    for _ in range(_PAGES_MAX):
        size = min(_PAGE_ROWS, POINTS_MAX - len(verdicts))
        reply = await page.call(ListVerdictsRequest(parent=name, page_size=size, page_token=token, view=VIEW_FULL))
        verdicts += reply.verdicts
        token = reply.next_page_token
        if not token or len(verdicts) >= POINTS_MAX:
            break
    verdicts.reverse()
    body = {
        "times": [round(verdict.visit_time.seconds + verdict.visit_time.nanos / 1e9, 1) for verdict in verdicts],
        "states": [VerdictState.Name(verdict.state).removeprefix("VERDICT_STATE_").lower() for verdict in verdicts],
        "usual": [_percent(usual_share(verdict)) for verdict in verdicts],
        **{score: [_rounded(score_of(verdict, score)) for verdict in verdicts] for score in _SCORES},
        **_limits(verdicts),
    }
    return Response(orjson.dumps(body), media_type="application/json", headers={"Cache-Control": "no-store"})


async def show(page: Page) -> Response:
    """Show the figures as a table, newest first."""
    name = names.asked_camera(page.query)
    reply = await page.call(
        ListVerdictsRequest(
            parent=name,
            page_size=_PAGE_ROWS,
            page_token=forms.text(page.query, "page_token", 1024),
            view=VIEW_FULL,
        )
    )
    return await page.render(
        "camera_figures.html.jinja",
        camera_id=names.camera_id(name),
        rows=[
            (verdict, [score_of(verdict, score) for score in _SCORES], usual_share(verdict))
            for verdict in reply.verdicts
        ],
        next_token=reply.next_page_token,
    )


def score_of(verdict: Any, score: str) -> float | None:
    """Return a score from 0 to 100; None if the picture allows none."""
    return float(getattr(verdict.scores, score)) if verdict.scores.HasField(score) else None


def usual_share(verdict: Any) -> float | None:
    """Return the sharpness as a share of the usual picture's; None if the usual picture is not known."""
    return float(verdict.figures["sharpness_ratio"]) if "sharpness_ratio" in verdict.figures else None


def _limits(verdicts: list[Any]) -> dict[str, Any]:
    """Return the limits of the latest verdict that has them."""
    thresholds = next((dict(verdict.thresholds) for verdict in reversed(verdicts) if verdict.thresholds), {})
    least = thresholds.get("sharpness_ratio_min")
    sharpness = [thresholds[name] for name in ("sharpness_min", "sharpness_sure_min") if name in thresholds]
    hidden = [_PERCENT * thresholds["hidden_share_min"]] if "hidden_share_min" in thresholds else []
    return {
        "limits": {"sharpness": sharpness, "exposure": [], "occlusion": hidden},
        "band": [] if least is None else [round(_PERCENT * least, _DECIMALS), _PERCENT],
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, _DECIMALS)


def _percent(share: float | None) -> float | None:
    return None if share is None else round(_PERCENT * share, _DECIMALS)
