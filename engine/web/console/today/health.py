"""How the patrol itself does, in sentences: periods kept, lag, platforms that are out, processes."""

import asyncio
from dataclasses import dataclass
from typing import Any

from engine.web.console.page import Page
from patrol.v1.patrol_pb2 import GetStatusRequest
from patrol.v1.scheduler_pb2 import ClassStatus, GetSchedulerStatusRequest

_CLASSES = {
    "key_point": ("Every key point was visited within its period.", "key points"),
    "ordinary": ("Every ordinary camera was visited within its period.", "ordinary cameras"),
    "suspicious": ("Every camera with a suspicion was visited within its period.", "cameras with a suspicion"),
    "offline": ("Every offline camera was tried within its period.", "offline cameras"),
}
_SHED = {
    "overload": "the machine is overloaded",
    "uplink_cap": "their recorder was busy",
    "host_cap": "their platform was busy",
    "host_rate": "their platform takes no more visits a second",
    "outage": "their platform was out",
    "paused": "a person paused them",
    "internal": "an error of the engine",
}
_NAMES_MAX = 5
GOOD, BAD, PLAIN = "ok", "fault", "plain"


@dataclass(frozen=True)
class Line:
    """A sentence. `mark`: GOOD, BAD or PLAIN."""

    mark: str
    text: str


@dataclass(frozen=True)
class Health:
    """`status`: reply of GetStatus. `schedule`: reply of GetSchedulerStatus; None: the caller may not see it."""

    status: Any
    schedule: Any


async def ask(page: Page, region: str) -> Health:
    """Return how the patrol does. Raises HttpError."""
    if page.caller.region:
        return Health(await page.call(GetStatusRequest(region_prefix=region)), None)
    status, schedule = await asyncio.gather(
        page.call(GetStatusRequest(region_prefix=region)), page.call(GetSchedulerStatusRequest())
    )
    return Health(status, schedule)


def lines(page: Page, health: Health) -> list[Line]:
    """Return what to say of the patrol; nothing to those who may not see it."""
    if health.schedule is None:
        return []
    schedule, machine = health.schedule, health.status.machine
    said = [line for found in schedule.classes for line in _class(page, found)]
    if not said:
        said = [Line(PLAIN, page.text("No period was due yet since the engine started."))]
    missed = [(number, reason) for reason, number in schedule.shed.items() if number >= 0.5]
    for number, reason in sorted(missed, reverse=True)[:_NAMES_MAX]:
        why = page.text(_SHED[reason]) if reason in _SHED else reason
        text = page.text("Periods without a visit because %(why)s: %(number)s.", number=_number(page, number), why=why)
        said.append(Line(BAD, text))
    said.append(_outages(page, schedule))
    if schedule.pauses:
        cameras = _number(page, sum(pause.cameras for pause in schedule.pauses))
        text = page.text("%(cameras)s cameras are paused by a person and are not visited.", cameras=cameras)
        said.append(Line(BAD, text))
    if not (machine.workers_ready and machine.feeders_ready):
        said.append(
            Line(BAD, page.text("Some processes of the engine are not ready: pictures wait or are not fetched."))
        )
    return said


def _class(page: Page, found: ClassStatus) -> list[Line]:
    if not found.periods_due:
        return []
    all_kept, name = _CLASSES.get(found.name, ("", found.name))
    kept = min(found.periods_due, round(found.coverage * found.periods_due))
    values = {
        "name": page.text(name),
        "kept": _number(page, kept),
        "due": _number(page, found.periods_due),
        "share": page.formats().share(kept, found.periods_due),
    }
    said = []
    if kept == found.periods_due and all_kept:
        said.append(Line(GOOD, f"{page.text(all_kept)} {page.text('%(kept)s of %(due)s periods.', **values)}"))
    else:
        text = page.text("Of the periods of %(name)s, %(share)s were kept: %(kept)s of %(due)s.", **values)
        said.append(Line(BAD, text))
    if found.stretch > 1.0:
        text = page.text(
            "The machine is overloaded: the period of %(name)s is %(times)s times as long as it should be.",
            name=values["name"],
            times=page.formats().number(found.stretch, 1),
        )
        said.append(Line(BAD, text))
    return said


def _outages(page: Page, schedule: Any) -> Line:
    if not schedule.outages:
        return Line(GOOD, page.text("No platform is out."))
    names = page.text(", ").join(schedule.outages[:_NAMES_MAX])
    number = len(schedule.outages)
    if number > _NAMES_MAX:
        names += page.text(" and %(number)s more", number=number - _NAMES_MAX)
    return Line(BAD, page.text("Platforms that are out: %(names)s. Their cameras count as offline.", names=names))


def _number(page: Page, number: float) -> str:
    return page.formats().number(round(number))
