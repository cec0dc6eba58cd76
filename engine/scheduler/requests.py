"""What people ask for by name: cameras to be visited before all others. Pure."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.model.visit import CheckNowReport
from engine.scheduler.table import ENABLED, PUSH, REGULAR, URGENT, CameraState
from engine.scheduler.timing import NEVER_NS

if TYPE_CHECKING:
    from engine.scheduler.core import Scheduler

_FLIGHT = int(CameraState.FLIGHT)


def check_now(core: "Scheduler", camera_ids: Sequence[str], now_ns: int) -> CheckNowReport:
    """Have these wait before all others, within the caps; what becomes of each."""
    table, dispatch = core.table, core.dispatch
    accepted: list[str] = []
    in_flight: dict[str, int] = {}
    unknown: list[str] = []
    not_visited: list[str] = []
    paused: list[str] = []
    for camera_id in dict.fromkeys(camera_ids):
        slot = table.slots.get(camera_id)
        if slot is None:
            unknown.append(camera_id)
        elif not table.flags[slot] & ENABLED or table.flags[slot] & PUSH:
            not_visited.append(camera_id)
        elif table.place[slot] == _FLIGHT:
            in_flight[camera_id] = table.visit_id[slot]
        elif core.pauses.of(slot) is not None:
            paused.append(camera_id)
        else:
            accepted.append(camera_id)
            if not table.flags[slot] & URGENT:
                dispatch.leave(slot, now_ns)
                table.flags[slot] = (table.flags[slot] | URGENT) & ~REGULAR
                table.release[slot] = now_ns
                # Before all but those asked for earlier, wherever it waits.
                table.deadline[slot] = now_ns - NEVER_NS
                dispatch.make_ready(slot)
    return CheckNowReport(
        tuple(accepted), in_flight, tuple(unknown), tuple(not_visited), tuple(paused), dispatch.next_visit_id
    )
