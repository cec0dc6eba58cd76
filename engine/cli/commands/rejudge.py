"""`patrol rejudge`: judges the latest pictures again under other thresholds."""

from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli import exit_codes
from engine.cli.database import open_to_read
from engine.cli.json_output import print_json
from engine.cli.options import OUT, ConfigOption, JsonOption, UtcOption, settings_of, times_of
from engine.clock import wall_ns
from engine.terminal.tables import show_table
from engine.terminal.times import Times

if TYPE_CHECKING:
    from engine.batch.rejudge import Totals


def rejudge(
    since: Annotated[str, typer.Option(help="Oldest picture to judge: 90m, 24h, 7d.")] = "24h",
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 13 is all of Hebei.")] = "",
    rows_max: Annotated[int, typer.Option("--rows", help="Cameras in the table at most.", min=0)] = 50,
    every: Annotated[bool, typer.Option("--all", help="With --json, include unchanged verdicts.")] = False,
    utc: UtcOption = False,
    config: ConfigOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge each camera's latest picture under the thresholds of a configuration, before you apply it.

    Reads the database that the configuration names and changes nothing. Exit 0: no verdict would change; 1: some would.
    """
    from engine.batch import rejudge as batch

    settings = settings_of(config)
    times = times_of(settings, utc)
    earliest_ns = batch.parse_since(since, wall_ns())
    totals = batch.Totals()
    rows: list[list[str]] = []
    with open_to_read(settings) as store:
        for result in batch.rejudge(store.measured(earliest_ns, region), settings.judge, totals):
            if as_json and (result.changed or every):
                print_json(result.json())
            elif result.changed and len(rows) < rows_max:
                rows.append(
                    [
                        result.was.camera_id,
                        times.recent(result.was.at_wall_ns),
                        batch.label(result.was),
                        batch.label(result.would),
                    ]
                )
    if not as_json:
        _show(rows, totals, times)
    raise typer.Exit(exit_codes.NO if totals.changed else exit_codes.OK)


def _show(rows: list[list[str]], totals: "Totals", times: Times) -> None:
    if rows:
        show_table(OUT, ["camera", *times.head("seen"), "was", "would be"], rows)
    moves = [[was, would, str(number)] for (was, would), number in totals.moves.most_common() if was != would]
    if moves:
        show_table(OUT, ["was", "would be", "cameras"], moves)
    unread = f", {totals.unreadable} could not be read" if totals.unreadable else ""
    OUT.out(f"{totals.judged} pictures judged again, {totals.changed} would change{unread}", highlight=False)
