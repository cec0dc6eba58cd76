"""`patrol export`: writes verdicts, or their sums by hour or day, to a Parquet file."""

from datetime import datetime
from enum import StrEnum
from pathlib import Path
from typing import Annotated
from zoneinfo import ZoneInfo

import typer

from engine.cli.database import open_to_read
from engine.cli.json_output import print_json
from engine.cli.options import OUT, ConfigOption, JsonOption, settings_of
from engine.cli.output_files import check_output
from engine.clock import NS_PER_S, wall_ns
from engine.errors import ConfigError


class What(StrEnum):
    """What to export."""

    VERDICTS = "verdicts"
    HOURS = "hours"
    DAYS = "days"


def export(
    what: Annotated[What, typer.Argument(help="Every verdict, or sums per camera and hour or day.")],
    file: Annotated[Path, typer.Argument(help="Parquet file to write.")],
    since: Annotated[datetime | None, typer.Option(help="Start, in the calendar's time zone. Default: all.")] = None,
    until: Annotated[datetime | None, typer.Option(help="End, itself excluded. Default: now.")] = None,
    region: Annotated[str, typer.Option(help="GB/T 2260 prefix: 1301 is Shijiazhuang.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Write verdicts, or their sums by hour or day, to a Parquet file.

    Reads the database; the engine may run meanwhile. Verdicts are in the order in which they were stored, sums by
    time and camera. docs/store.md lists the columns.
    """
    from engine.config.calendar import load_calendar
    from engine.storage import parquet

    check_output(file, "FILE")
    settings = settings_of(config)
    zone = ZoneInfo(load_calendar(settings.scheduler.calendar_file).timezone)
    first_ns = 0 if since is None else _wall_ns(since, zone)
    end_ns = wall_ns() if until is None else _wall_ns(until, zone)
    if end_ns <= first_ns:
        begin = "1970" if since is None else f"{since:%Y-%m-%d %H:%M:%S}"
        end = "now" if until is None else f"{until:%Y-%m-%d %H:%M:%S}"
        raise ConfigError(f"--since {begin} --until {end}: the end is not after the start; give a later end")
    with open_to_read(settings) as store:
        if what is What.VERDICTS:
            rows = parquet.write_verdicts(store.history.between(first_ns, end_ns, region), file)
        else:
            span = what.value.removesuffix("s")
            rows = parquet.write_sums(store.history.sums(span, first_ns, end_ns, region, zone), span, file)
    if as_json:
        print_json({"file": str(file), "rows": str(rows)})
    else:
        OUT.out(f"{rows} rows in {file}", highlight=False)


def _wall_ns(time: datetime, zone: ZoneInfo) -> int:
    return int(time.replace(tzinfo=zone).timestamp()) * NS_PER_S
