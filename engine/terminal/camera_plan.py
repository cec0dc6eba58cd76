"""Renders a camera's plan: when it is due, and why."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.model.schedule import CameraPlanReport
from engine.terminal.formatting import duration_text
from engine.terminal.times import Times

_STATES = {
    "idle": "is not visited",
    "due": "waits for its time",
    "ready": "is due, waits for a slot",
    "uplink": "is due, waits for its recorder",
    "host": "is due, waits for its platform",
    "flight": "is being visited",
}


def show_plan(console: Console, plan: CameraPlanReport, times: Times) -> None:
    """Print a headline, then one line per fact; plain lines on a pipe."""
    console.print(Text(f"{plan.camera_id}: {due_text(plan)}", style="bold"), highlight=False, soft_wrap=True)
    if not console.is_terminal:
        for name, fact in facts(plan, times):
            console.out(f"{name:15}{fact}", highlight=False)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts(plan, times):
        table.add_row(name, fact)
    console.print(table, highlight=False)


def due_text(plan: CameraPlanReport) -> str:
    """Say in a few words when the camera is due: `due in 4 min`, `being visited now`, ..."""
    if plan.place == "idle":
        return "not visited"
    if plan.place == "flight":
        return "being visited now"
    if plan.place != "due":
        return f"due since {duration_text(max(0.0, -plan.due_in_s))}"
    event = "missed" if plan.kind == "push" else "due"
    in_text = duration_text(plan.due_in_s)
    return f"never {event}" if in_text == "never" else f"{event} in {in_text}"


def facts(plan: CameraPlanReport, times: Times) -> Iterator[tuple[str, str]]:
    """Yield the name and the text of each line, the reasons first."""
    for number, sentence in enumerate(plan.because):
        yield "" if number else "because", sentence
    yield "class", f"{plan.kind.replace('_', ' ')}; {_period(plan)}"
    yield "stands", _STATES.get(plan.place, plan.place)
    if plan.kind != "push":
        yield "last visit", _last_visit(plan)
    yield (
        "last keyframe",
        "none since the engine started" if plan.last_keyframe_ago_s is None else _ago(plan.last_keyframe_ago_s),
    )
    yield "kitchen", _kitchen(plan, times)


def _period(plan: CameraPlanReport) -> str:
    event = "a keyframe expected" if plan.kind == "push" else "one visit"
    period = f"{event} in {duration_text(plan.period_s)} while its kitchen works"
    if plan.stretch > 1:
        period += f", stretched to {duration_text(plan.stretch * plan.period_s)}: the machine cannot keep it"
    return period


def _last_visit(plan: CameraPlanReport) -> str:
    if plan.last_visit_ago_s is None:
        return "none since the engine started"
    ago = _ago(plan.last_visit_ago_s)
    if plan.last_reason:
        return f"{ago}, brought no keyframe: {plan.last_reason} ({plan.failures} failures counted)"
    if plan.place == "flight":
        return f"began {ago}"
    counted = f" ({plan.failures} earlier failures still counted)" if plan.failures else ""
    return f"{ago}, brought a keyframe{counted}"


def _kitchen(plan: CameraPlanReport, times: Times) -> str:
    if plan.window_open:
        return "works now"
    if not plan.window_opens_wall_ns:
        return "rests, and never works: check the calendar, and `hours` in the registry"
    return f"rests; works again {times.weekday(plan.window_opens_wall_ns)}"


def _ago(ago_s: float) -> str:
    return f"{duration_text(ago_s)} ago"
