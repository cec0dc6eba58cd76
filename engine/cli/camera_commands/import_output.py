"""Shows what `patrol cameras import` did, or with --dry-run would do, and which rows are bad."""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from engine.cli.json_output import problem_json
from engine.cli.options import ERR, OUT
from engine.model.registry import ImportReport, RowProblem
from engine.terminal.tables import show_table

if TYPE_CHECKING:
    from engine.batch.registry_files import FileReport
    from engine.batch.registry_preview import RowChange

_ROWS_SHOWN = 50


def show_check(check: "FileReport") -> None:
    """Print on stderr what is left out of the rows, and what is wrong with them."""
    for note, number in check.notes.items():
        ERR.out(f"note: {note} ({number} rows)", highlight=False)
    _show_problems(check.problems)


def show_import(report: ImportReport, registry: str, changes: "Sequence[RowChange] | None") -> None:
    """Print the outcome; `changes` are those of a dry run, None if the rows were written."""
    _show_problems(report.problems)
    if changes is not None:
        _show_changes(changes, report)
    would = "" if changes is None else "dry run: would be "
    counts = f"{report.added} added, {report.changed} changed, {report.unchanged} unchanged"
    OUT.out(f"{would}{counts}, in {registry}", highlight=False)


def import_json(
    report: ImportReport, check: "FileReport", dry_run: bool, changes: "Sequence[RowChange]" = ()
) -> dict[str, object]:
    """Return the outcome as JSON. `changes`: of a dry run."""
    return {
        "dryRun": dry_run,
        "added": report.added,
        "changed": report.changed,
        "unchanged": report.unchanged,
        "problems": [problem_json(problem) for problem in (*check.problems, *report.problems)],
        "notes": [{"note": note, "rows": number} for note, number in check.notes.items()],
        **({"changes": [_change_json(change) for change in changes]} if dry_run else {}),
    }


def _show_problems(problems: Sequence[RowProblem]) -> None:
    if problems:
        rows = [[str(p.line or "-"), p.column, p.value, p.message] for p in problems]
        show_table(ERR, ["line", "column", "value", "what"], rows)


def _show_changes(changes: "Sequence[RowChange]", report: ImportReport) -> None:
    rows = [[change.camera.camera_id, change.camera.name, _what(change)] for change in changes[:_ROWS_SHOWN]]
    if rows:
        show_table(OUT, ["camera", "name", "would be"], rows)
    more = len(changes) - len(rows)
    if more:
        OUT.out(f"and {more} more; --json lists all", highlight=False)
    hidden = report.changed - sum(not change.is_new for change in changes)
    if hidden > 0:
        OUT.out(f"{hidden} change nothing but their password", highlight=False)


def _change_json(change: "RowChange") -> dict[str, object]:
    from engine.serve.messages.resource_names import camera_name

    return {
        "camera": camera_name(change.camera.camera_id),
        "new": change.is_new,
        "columns": [{"column": column, "was": was, "now": now} for column, was, now in change.columns],
    }


def _what(change: "RowChange") -> str:
    if change.is_new:
        return "added"
    return "changed: " + ", ".join(f"{column} {was or '-'} -> {now or '-'}" for column, was, now in change.columns)
