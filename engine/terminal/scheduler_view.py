"""Renders `patrol top`: how the patrol keeps its periods, as one view for a terminal or plain lines for a pipe."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from rich.console import Console, Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from engine.model.engine_status import EngineStatus, MachineStatus
from engine.model.schedule import ClassStatus, SchedulerStatus
from engine.terminal.formatting import STYLES, duration_text
from engine.terminal.tables import Cell, show_lines, text_width

_STATES = ("ok", "fault", "unknown", "offline", "unseen")
_DIM = "bright_black"
_GOOD, _WARN, _BAD = "green", "yellow", "bold red"
_USE_WARN = 0.9
_COVERAGE_WARN, _COVERAGE_BAD = 0.99, 0.9
_LATE_RATIO = 1.1
_LAG_S = 0.1
_NAMES_MAX = 3
_WIDE = 100
_BAR_CELLS, _BAR_CELLS_NARROW = 12, 6
_ROWS_ALL = 1000


@dataclass(frozen=True, slots=True)
class Section:
    """A small table. Columns after the first are right-aligned."""

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def render_schedule(
    engine: EngineStatus, schedule: SchedulerStatus, footer: Text, width: int, height: int
) -> RenderableType:
    """Return the whole view, for a terminal of `width` columns (80 and up) and `height` lines (24 and up)."""
    sentences = list(_sentences(engine, schedule))
    headline = sum(-(-text_width(str(sentence)) // (width - 4)) for sentence in sentences) + 2
    classes = _table(_classes(schedule), expand=width < _WIDE)
    room = height - headline - len(schedule.classes) - 3  # a header, a blank line and the footer
    bar = _BAR_CELLS if width >= _WIDE else _BAR_CELLS_NARROW
    grid = Table.grid(padding=(0, 4), expand=True)
    for _ in range(2):
        grid.add_column(ratio=1)
    caps = _caps(schedule, bar)
    hosts = _hosts(schedule, bar, max(1, room - len(caps.rows) - 3))
    grid.add_row(_stack(caps, hosts), _stack(*_causes(schedule, room)))
    title = f"patrol top · {schedule.cameras:,} cameras"
    return Group(Panel(Group(*sentences), title=title, title_align="left"), classes, "", grid, footer)


def show_schedule(console: Console, engine: EngineStatus, schedule: SchedulerStatus) -> None:
    """Print the view as plain lines, with every platform and county that the status contains."""
    for sentence in _sentences(engine, schedule):
        console.out(str(sentence), highlight=False)
    causes = (_failing(schedule, _ROWS_ALL), _missed(schedule, _ROWS_ALL), _counties(schedule, _ROWS_ALL))
    for section in (_classes(schedule), _caps(schedule, 0), _hosts(schedule, 0, _ROWS_ALL), *causes):
        if section.rows:
            console.out(f"\n# {section.title}", highlight=False)
            show_lines(console, section.columns, section.rows)


def _sentences(engine: EngineStatus, schedule: SchedulerStatus) -> Iterator[Text]:
    machine = engine.machine or MachineStatus()
    counts = [(state, engine.cameras_by_state.get(state, 0)) for state in _STATES]
    yield Text("  ").join(Text(f"{state} {count:,}", style=STYLES[state]) for state, count in counts if count)
    yield Text(
        f"{schedule.starts_per_s:,.1f} visits/s  {machine.checks_per_s:,.1f} checks/s  "
        f"lag max {duration_text(schedule.lag_s_max)}  {machine.frames_waiting:,} frames queued"
    )
    yield from _balance(schedule)
    if not machine.workers_ready:
        yield Text("no worker is ready: keyframes wait until one is", style=_BAD)


def _balance(schedule: SchedulerStatus) -> Iterator[Text]:
    """Yield whether the periods can be kept, then what hinders the patrol."""
    demand = f"{schedule.demand_per_s:,.1f} visits/s asked for"
    capacity = f"this machine carries {schedule.capacity_per_s:,.1f}"
    stretched = [f"{_spaced(row.name)} x {row.stretch:.2f}" for row in schedule.classes if row.stretch > 1]
    if not schedule.cameras:
        yield Text("no cameras: import some with `patrol cameras import FILE`", style=_WARN)
    elif stretched:
        yield Text(f"overload: {demand}, {capacity}; periods stretched: {', '.join(stretched)}", style=_BAD)
    elif schedule.capacity_per_s:
        yield Text(f"overload: {demand}, {capacity}; no period may be stretched (stretch_max)", style=_BAD)
    else:
        yield Text(f"in balance: {demand}, and the machine carries them", style=_GOOD)
    if schedule.ready and schedule.visits_allowed < schedule.visits_max:
        allowed = f"{schedule.visits_allowed:,} of {schedule.visits_max:,} visits in flight"
        yield Text(f"feeders and the queue before the workers allow {allowed}", style=_WARN)
    if schedule.outages:
        more = len(schedule.outages) - _NAMES_MAX
        names = ", ".join(schedule.outages[:_NAMES_MAX]) + (f" and {more:,} more" if more > 0 else "")
        yield Text(f"out: {names}; one camera of each probes, the others wait", style=_BAD)
    for status in schedule.pauses[:_NAMES_MAX]:
        pause = status.pause
        yield Text(
            f"paused: {pause.scope.kind} {pause.scope.value or 'all'}, {status.cameras:,} cameras, by {pause.who}: "
            f"{pause.reason}",
            style=_WARN,
        )


def _classes(schedule: SchedulerStatus) -> Section:
    columns = ["class", "cameras", "period", "stretched", "achieved", "kept", "lag p50", "lag p99"]
    return Section("class", columns, [_class_row(row) for row in schedule.classes])


def _class_row(status: ClassStatus) -> list[Cell]:
    period = duration_text(status.period_s)
    return [
        _spaced(status.name),
        f"{status.cameras:,}",
        f"≤ {period}" if status.name == "offline" else period,
        Text(duration_text(status.period_s * status.stretch), style=_BAD) if status.stretch > 1 else "-",
        _achieved(status),
        _coverage(status),
        _lag(status.lag_p50_s, status.period_s),
        _lag(status.lag_p99_s, status.period_s),
    ]


def _achieved(status: ClassStatus) -> Cell:
    if not status.achieved_period_s:
        return "-"
    late = status.achieved_period_s > _LATE_RATIO * status.period_s
    return Text(duration_text(status.achieved_period_s), style=_WARN if late else _GOOD)


def _coverage(status: ClassStatus) -> Cell:
    share = status.coverage
    if not status.periods_due and share == 1:
        return "-"
    style = _GOOD if share >= _COVERAGE_WARN else _WARN if share >= _COVERAGE_BAD else _BAD
    return Text(f"{100 * share:.1f} %", style=style)


def _lag(lag_s: float, period_s: float) -> Cell:
    """Return the lag, in red from one period on: then a visit was missed."""
    text = duration_text(lag_s)
    return Text(text, style=_BAD) if lag_s >= period_s else text


def _caps(schedule: SchedulerStatus, bar: int) -> Section:
    rows: list[list[Cell]] = [
        ["visits", *_use(schedule.in_flight, schedule.visits_allowed, bar), _waiting(schedule.ready)],
        ["starts/s", *_use(schedule.starts_per_s, schedule.starts_per_s_max, bar), "-"],
        ["recorders", *_use(schedule.uplinks_busy, schedule.uplinks, bar), _waiting(schedule.waiting_uplink)],
        ["platforms", *(["-"] if bar else []), "-", f"{schedule.hosts:,}", _waiting(schedule.waiting_host)],
    ]
    return Section("caps", ["what", *(["in use"] if bar else []), "now", "cap", "wait"], rows)


def _hosts(schedule: SchedulerStatus, bar: int, rows_max: int) -> Section:
    rows: list[list[Cell]] = [
        [
            Text(host.name, style=_BAD if host.out else ""),
            *_use(host.in_flight, host.cap, bar),
            Text("out", style=_BAD) if host.out else _waiting(host.waiting),
        ]
        for host in schedule.busy_hosts[:rows_max]
    ]
    return Section("platforms", ["platform", *(["in use"] if bar else []), "now", "cap", "wait"], rows)


def _causes(schedule: SchedulerStatus, room: int) -> list[Section]:
    """Return three tables that fit in `room` lines together; lines that one does not need go to the next."""
    left = room - 5  # three headers, two blank lines
    failing = _failing(schedule, max(1, left // 3))
    left -= max(1, len(failing.rows))
    missed = _missed(schedule, max(1, left // 2))
    left -= max(1, len(missed.rows))
    return [failing, missed, _counties(schedule, max(1, left))]


def _failing(schedule: SchedulerStatus, rows_max: int) -> Section:
    rows = [[reason, f"{count:,}"] for reason, count in _largest_first(schedule.failing)[:rows_max]]
    return Section("failing because of", ["reason", "cameras"], rows)


def _missed(schedule: SchedulerStatus, rows_max: int) -> Section:
    rows = [[reason, f"{count:,.0f}"] for reason, count in _largest_first(schedule.shed)[:rows_max]]
    return Section("missed because of", ["reason", "periods"], rows)


def _counties(schedule: SchedulerStatus, rows_max: int) -> Section:
    rows = [
        [county, duration_text(lag_s)]
        for county, lag_s in _largest_first(schedule.county_lags)[:rows_max]
        if lag_s >= _LAG_S
    ]
    return Section("worst counties", ["county", "lag max"], rows)


def _largest_first(counts: Mapping[str, float]) -> list[tuple[str, float]]:
    return sorted(counts.items(), key=lambda item: (-item[1], item[0]))


def _use(used: float, cap: float, bar: int) -> list[Cell]:
    """Return a bar of `bar` cells (0: no bar), the number in use, and the cap."""
    numbers: list[Cell] = [f"{used:,.1f}" if isinstance(used, float) else f"{used:,}", f"{cap:,g}"]
    if not bar:
        return numbers
    share = min(1.0, used / cap) if cap else 0.0
    full = -(-share * bar // 1)
    style = _BAD if share >= 1 else _WARN if share >= _USE_WARN else _GOOD
    cells = Text("■" * int(full), style=style)
    return [cells.append("·" * (bar - len(cells)), style=_DIM), *numbers]


def _waiting(number: int) -> Cell:
    return Text(f"{number:,}", style=_WARN) if number else "-"


def _spaced(name: str) -> str:
    return name.replace("_", " ")


def _stack(*sections: Section) -> Table:
    stack = Table.grid(expand=True)
    for number, section in enumerate(sections):
        if number:
            stack.add_row("")
        stack.add_row(_table(section))
    return stack


def _table(section: Section, expand: bool = True) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 1), header_style=f"bold {_DIM}", expand=expand)
    table.add_column(section.title, no_wrap=True, ratio=1 if expand else None)
    for name in section.columns[1:]:
        table.add_column(name, justify="right", no_wrap=True)
    for row in section.rows:
        table.add_row(*row)
    if not section.rows:
        table.add_row(Text("none", style=_DIM))
    return table
