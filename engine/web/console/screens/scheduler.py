"""Scheduler: how periods are kept, what waits for what, and pauses."""

from typing import Any

from starlette.responses import Response

from engine.errors import InvalidArgumentError
from engine.web.console import forms, names
from engine.web.console.page import Page
from engine.web.console.screens.screen import Action, Screen
from patrol.v1.scheduler_pb2 import GetSchedulerStatusRequest, PausePatrolRequest, PauseScope, ResumePatrolRequest

_SCOPES = ("region", "uplink", "host", "camera")


async def show(page: Page) -> Response:
    """Show the state of the scheduler."""
    status = await page.call(GetSchedulerStatusRequest())
    template = "scheduler_status.html.jinja" if page.is_part else "scheduler.html.jinja"
    counties = sorted(status.county_lags.items(), key=lambda item: -item[1])
    return await page.render(template, status=status, counties=counties, shed=_largest(status.shed), scope=_scope_words)


async def pause(page: Page) -> Response:
    """Pause the cameras of a scope."""
    request = PausePatrolRequest(scope=_asked_scope(page), reason=forms.text(page.form, "reason", 200))
    end_time = forms.moment(page.form, "end_time", page.zone)
    if end_time is not None:
        request.end_time.CopyFrom(end_time)
    await page.call(request)
    return page.go_to("/scheduler")


async def resume(page: Page) -> Response:
    """End a pause."""
    await page.call(ResumePatrolRequest(scope=_asked_scope(page)))
    return page.go_to("/scheduler")


def _asked_scope(page: Page) -> PauseScope:
    kind = forms.choice(page.form, "scope", _SCOPES, "region")
    value = forms.text(page.form, "value", 200)
    if kind == "region":
        return PauseScope(region_prefix=value)
    if not value:
        raise InvalidArgumentError("value", f"is empty; name the {kind}")
    if kind == "camera":
        return PauseScope(camera=names.camera_name(value))
    return PauseScope(uplink=value) if kind == "uplink" else PauseScope(host=value)


def _scope_words(scope: Any) -> tuple[str, str]:
    """Return the kind of a scope and its value, as the form has them."""
    field = scope.WhichOneof("scope") or "region_prefix"
    value = getattr(scope, field)
    return field.removesuffix("_prefix"), names.camera_id(value) if field == "camera" else value


def _largest(counts: Any) -> list[tuple[str, float]]:
    return sorted(((name, count) for name, count in counts.items() if count), key=lambda item: -item[1])


SCREEN = Screen(
    "/scheduler",
    "Scheduler",
    (
        Action("/scheduler", show, "scheduler"),
        Action("/scheduler/pause", pause, "scheduler-pause", "POST"),
        Action("/scheduler/resume", resume, "scheduler-resume", "POST"),
    ),
    everywhere=True,
)
