"""Why a camera is due when it is, for people."""

from collections.abc import Iterator

from rich.console import Console
from rich.table import Table
from rich.text import Text

from engine.model.schedule import CameraPlanReport
from engine.terminal.formatting import duration_text, zoned_text

_PLACES = {
    "idle": "nobody visits it",
    "due": "waits for its time",
    "ready": "wants a visit now, waits for a slot",
    "uplink": "wants a visit now, waits for its recorder",
    "host": "wants a visit now, waits for its platform",
    "flight": "is being visited",
}


def show_plan(console: Console, plan: CameraPlanReport) -> None:
    """A headline, then one line a fact; the same on a pipe."""
    console.print(Text(f"{plan.camera_id}: {when(plan)}", style="bold"), highlight=False, soft_wrap=True)
    if not console.is_terminal:
        for name, fact in facts(plan):
            console.out(f"{name:15}{fact}", highlight=False)
        return
    table = Table(box=None, show_header=False, pad_edge=False)
    table.add_column(style="bright_black", no_wrap=True)
    table.add_column(overflow="fold")
    for name, fact in facts(plan):
        table.add_row(name, fact)
    console.print(table, highlight=False)


def when(plan: CameraPlanReport) -> str:
    """When it is due, in a few words."""
    if plan.place == "idle":
        return "not visited"
    if plan.place == "flight":
        return "being visited now"
    if plan.place != "due":
        return f"due since {duration_text(max(0.0, -plan.due_in_s))}"
    what = "missed" if plan.kind == "push" else "due"
    in_text = duration_text(plan.due_in_s)
    return f"never {what}" if in_text == "never" else f"{what} in {in_text}"


def facts(plan: CameraPlanReport) -> Iterator[tuple[str, str]]:
    """Name and value of each line; the reasons first."""
    for number, sentence in enumerate(plan.because):
        yield "" if number else "because", sentence
    yield "class", f"{plan.kind.replace('_', ' ')}; {_period(plan)}"
    yield "stands", _PLACES.get(plan.place, plan.place)
    if plan.kind != "push":
        yield "last visit", _last_visit(plan)
    yield (
        "last keyframe",
        "none since the engine started" if plan.last_keyframe_ago_s is None else _ago(plan.last_keyframe_ago_s),
    )
    yield "kitchen", _kitchen(plan)


def _period(plan: CameraPlanReport) -> str:
    what = "a keyframe expected" if plan.kind == "push" else "one look"
    period = f"{what} in {duration_text(plan.period_s)} while its kitchen works"
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


def _kitchen(plan: CameraPlanReport) -> str:
    if plan.window_open:
        return "works now"
    if not plan.window_opens_wall_ns:
        return "rests, and its hours do not come: see the calendar, and `hours` in the registry"
    return f"rests; works again {zoned_text(plan.window_opens_wall_ns, plan.timezone)}"


def _ago(ago_s: float) -> str:
    return f"{duration_text(ago_s)} ago"
