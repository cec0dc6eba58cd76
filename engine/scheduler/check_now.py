"""Queues cameras that somebody asks for ahead of all others, within the caps. Pure."""

from collections.abc import Sequence

from engine.model.visit import CheckNowReport
from engine.scheduler.dispatch import Dispatch
from engine.scheduler.pauses import Pauses
from engine.scheduler.periods.timing import NEVER_NS
from engine.scheduler.table import ENABLED, PERIODIC, PUSH, URGENT, CameraState, Table

_FLIGHT = int(CameraState.FLIGHT)


def check_now(
    table: Table, dispatch: Dispatch, pauses: Pauses, camera_ids: Sequence[str], now_ns: int
) -> CheckNowReport:
    """Queue these cameras before all others, within the caps; return what becomes of each."""
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
        elif table.state[slot] == _FLIGHT:
            in_flight[camera_id] = table.visit_id[slot]
        elif pauses.pause_of(slot) is not None:
            paused.append(camera_id)
        else:
            accepted.append(camera_id)
            if not table.flags[slot] & URGENT:
                dispatch.withdraw(slot, now_ns)
                table.flags[slot] = (table.flags[slot] | URGENT) & ~PERIODIC
                table.release[slot] = now_ns
                # Before all cameras but those asked for earlier, at every gate.
                table.deadline[slot] = now_ns - NEVER_NS
                dispatch.make_ready(slot)
    return CheckNowReport(
        tuple(accepted), in_flight, tuple(unknown), tuple(not_visited), tuple(paused), dispatch.next_visit_id
    )
