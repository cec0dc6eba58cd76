"""How `patrol db upgrade` tells what it will do, how far it is, and what it did."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from typing import TYPE_CHECKING, Any

from rich.console import Console

from engine.cli.json_output import print_json
from engine.cli.options import OUT
from engine.terminal.progress import progress

if TYPE_CHECKING:
    from engine.storage.db.schema import Upgraded  # imported late: SQLAlchemy loads slowly
    from engine.storage.db.upgrading.plan import Plan


@contextmanager
def bars(console: Console) -> Iterator[Callable[[str, int, int], None]]:
    """Show a bar for each step that tells its progress; yields a function to call with step, done and total."""
    with ExitStack() as stack:
        step_now = ""
        advance: Callable[[int], None] = lambda done: None  # noqa: E731

        def report(step: str, done: int, total: int) -> None:
            nonlocal step_now, advance
            if step != step_now:
                stack.close()
                step_now, advance = step, stack.enter_context(progress(console, step, total))
            advance(done)

        yield report


def print_plan(plan: "Plan", *, as_json: bool) -> None:
    """Print the steps of an upgrade, their rows, and the room that they need."""
    if as_json:
        print_json(
            {
                "schemaBefore": plan.before,
                "schema": plan.after,
                "steps": [
                    {"step": step.name, "what": step.summary, "rows": step.rows, "bytes": str(step.new_bytes)}
                    for step in plan.steps
                ],
                "bytesNeeded": str(plan.needed_bytes),
                "bytesFree": None if plan.free_bytes is None else str(plan.free_bytes),
            }
        )
        return
    if not plan.steps:
        OUT.out(f"the schema is {plan.after} already; nothing to do", highlight=False)
        return
    for step in plan.steps:
        rows = f"{step.rows} rows" if step.rows else "" if step.new_bytes else "alters tables, rewrites no rows"
        size = f"about {step.new_bytes / 1e6:.0f} MB" if step.new_bytes else ""
        OUT.out(f"{step.name}: {step.summary} ({', '.join(filter(None, (rows, size)))})", highlight=False)
    free = "not known" if plan.free_bytes is None else f"{plan.free_bytes / 1e6:.0f} MB"
    OUT.out(f"needs about {plan.needed_bytes / 1e6:.0f} MB on the disk; free: {free}", highlight=False)


def upgrade_json(done: "Upgraded") -> dict[str, Any]:
    """Return what an upgrade did, for --json."""
    return {
        "schemaBefore": done.before,
        "schema": done.after,
        "sealed": done.sealed,
        "scrubbed": done.is_scrubbed,
        "scrubLeft": done.is_scrub_left,
    }
