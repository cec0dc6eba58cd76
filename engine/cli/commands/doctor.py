"""`patrol doctor`: examines what the engine needs, before a start or during a run, and says what to do."""

from typing import Annotated

import typer
from rich.text import Text

from engine.cli import exit_codes
from engine.cli.json_output import print_json
from engine.cli.options import OUT, ConfigOption, JsonOption
from engine.doctor.diagnosis import Diagnosis, Level, worst
from engine.terminal.tables import Cell, show_table

_STYLES = {Level.OK: "green", Level.WARNING: "yellow", Level.FAULT: "bold red"}


def doctor(
    sample: Annotated[
        int, typer.Option(min=0, max=1000, help="Cameras of the registry to open a connection to; 0: none.")
    ] = 20,
    timeout: Annotated[float, typer.Option(min=0.1, max=60, help="Longest wait for each of them, in seconds.")] = 3.0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Examine configuration, ports, limits, clock, disks, decoder, database, certificates, tokens and some cameras.

    It changes nothing, and may run beside the engine. Exit 0: all is well; 1: a warning or a fault, with its remedy.
    """
    from engine.doctor.examine import Options, examine

    found = list(examine(config, Options(sample=sample, timeout_s=timeout)))
    level = worst(found)
    if as_json:
        rows = [
            {"topic": line.topic, "level": line.level.value, "found": line.found, "remedy": line.remedy}
            for line in found
        ]
        print_json({"level": level.value, "diagnoses": rows})
    else:
        show_table(OUT, ["", "topic", "found", "what to do"], map(_row, found))
        OUT.out(_summary(found), highlight=False)
    raise typer.Exit(exit_codes.OK if level is Level.OK else exit_codes.NO)


def _row(line: Diagnosis) -> list[Cell]:
    return [Text(line.level.value, style=_STYLES[line.level]), line.topic, line.found, line.remedy]


def _summary(found: list[Diagnosis]) -> str:
    faults = sum(line.level is Level.FAULT for line in found)
    warnings = sum(line.level is Level.WARNING for line in found)
    if not faults and not warnings:
        return f"all is well: {len(found)} examinations"
    return f"{faults} fault{'' if faults == 1 else 's'}, {warnings} warning{'' if warnings == 1 else 's'}"
