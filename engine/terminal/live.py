"""Renders the live view of `patrol demo`: counts, rates, cameras in trouble, latest events."""

from collections.abc import Sequence

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.model.engine_status import EngineStatus, MachineStatus
from engine.model.registry import CameraStatus
from engine.model.verdict import State, Verdict
from engine.terminal.formatting import STYLES, score_text, state_of, why_text
from engine.terminal.times import Times

_ORDER = ("ok", "fault", "unknown", "offline", "unseen")
_EVENTS = 6


def render_patrol(
    status: EngineStatus,
    cameras: Sequence[CameraStatus],
    recent: Sequence[Verdict],
    times: Times,
    footer: str,
    rows_max: int = 14,
) -> RenderableType:
    """Return the whole view, for 80 columns and up. `rows_max`: cameras in trouble to list."""
    names = {row.camera.camera_id: row.camera.name or row.camera.camera_id for row in cameras}
    return Group(
        _headline(status),
        _strip(cameras),
        _trouble_table(cameras, times, rows_max),
        _event_table(recent, names, times),
        Text(footer, style="bright_black"),
    )


def _headline(status: EngineStatus) -> Panel:
    counts = Text("  ").join(
        Text(f"{state} {status.cameras_by_state.get(state, 0)}", style=STYLES[state])
        for state in _ORDER
        if status.cameras_by_state.get(state, 0)
    )
    machine = status.machine or MachineStatus()
    rates = Text(
        f"{machine.checks_per_s:.1f} checks/s   {machine.checks_total} checks   {machine.visits_in_flight} visits in "
        f"flight   lag {machine.period_lag_s_max:.1f} s"
    )
    return Panel(Group(counts, rates), title=f"patrol · {status.cameras} cameras", title_align="left")


def _strip(cameras: Sequence[CameraStatus]) -> Text:
    """Return one coloured mark per camera, so that a change catches the eye."""
    strip = Text(" ")
    for row in cameras[:600]:
        strip.append("■", style=STYLES[state_of(row.latest)])
        strip.append(" ")
    return strip


def _trouble_table(cameras: Sequence[CameraStatus], times: Times, rows_max: int) -> Table:
    table = Table(expand=True, box=None, pad_edge=False, header_style="bold bright_black")
    table.add_column("camera", ratio=2, no_wrap=True)
    table.add_column("canteen", ratio=4, no_wrap=True)
    table.add_column("state", width=8)
    table.add_column("why", ratio=3, no_wrap=True)
    table.add_column("sharp", justify="right", width=5)
    table.add_column("expo", justify="right", width=5)
    table.add_column(times.head("seen")[0], no_wrap=True)
    troubles = [(row.camera, row.latest) for row in cameras if row.latest and row.latest.announced != State.OK]
    for camera, latest in troubles[:rows_max]:
        kinds = ", ".join(latest.announced_kinds) or why_text(latest)
        table.add_row(
            camera.name or camera.camera_id,
            camera.site_name,
            Text(latest.announced, style=STYLES[latest.announced]),
            kinds,
            score_text(latest.scores.sharpness),
            score_text(latest.scores.exposure),
            times.clock(latest.at_wall_ns),
        )
    if len(troubles) > rows_max:
        table.add_row(Text(f"and {len(troubles) - rows_max} more", style="bright_black"))
    return table


def _event_table(recent: Sequence[Verdict], names: dict[str, str], times: Times) -> Table:
    table = Table(box=None, pad_edge=False, show_header=False)
    for verdict in recent[-_EVENTS:]:
        table.add_row(
            Text(times.clock(verdict.at_wall_ns), style="bright_black"),
            names.get(verdict.camera_id, verdict.camera_id),
            Text(verdict.announced, style=STYLES[verdict.announced]),
            ", ".join(verdict.announced_kinds) or verdict.reason,
        )
    return table
