"""`patrol report`: writes the daily or weekly digest of a region as a web page or CSV."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from engine.cli.database import open_to_read
from engine.cli.json_output import print_json
from engine.cli.options import ERR, ConfigOption, settings_of
from engine.cli.output_files import check_output, write_text
from engine.clock import wall_ns
from engine.config.calendar import load_calendar
from engine.errors import ConfigError
from engine.interchange.regions import hebei
from engine.notices.vocabulary import Lang

if TYPE_CHECKING:
    from engine.hub.services.digest_report import Report
    from engine.notices.digest import Digest, Period

_PICTURED_MAX = 2000


def report(
    region: Annotated[str, typer.Option(help="GB/T 2260 code: 13 a province, 1301 a city, 130102 a county.")] = "",
    week: Annotated[
        str,
        typer.Option(help="ISO 8601 week, Monday to Sunday, for example 2026-W47. Default: the last full week."),
    ] = "",
    day: Annotated[str, typer.Option(help="Day, for example 2026-11-24.")] = "",
    lang: Annotated[Lang, typer.Option(help="Language: zh (Chinese) or en (English).")] = Lang.ZH,
    html: Annotated[Path | None, typer.Option(help="HTML file to write, ready to print.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="CSV file X.csv to write: the league with all figures. The findings go into X.findings.csv beside it."
        ),
    ] = None,
    pictures: Annotated[
        int,
        typer.Option(
            help="Findings on the page that have their pictures, at most; the most urgent are shown. 0: none.",
            min=0,
            max=_PICTURED_MAX,
        ),
    ] = 200,
    as_json: Annotated[bool, typer.Option("--json", help="Print the digest as JSON, with or without files.")] = False,
    config: ConfigOption = None,
) -> None:
    """Write the digest of a region: rates, the league of its counties, and every open finding with its pictures.

    Without --week and --day it is that of the last full week, Monday to Sunday. The digest of a county lists its
    canteens instead of counties. Reads the database and the evidence, whether the engine runs or not.
    """
    from engine.batch.finding_pictures import finding_pictures
    from engine.hub.services.digest_report import report as make_report
    from engine.notices.html_page import html as html_page
    from engine.storage.evidence.archive_files import open_archive_files
    from engine.storage.evidence.exhibit_reader import ExhibitReader

    if week and day:
        raise ConfigError("--week and --day: give one of them, or neither for the last full week")
    check_output(html, "--html")
    check_output(csv, "--csv")
    if html is None and csv is None and not as_json:
        raise ConfigError("report: give --html FILE, --csv FILE, --json, or several of them")
    if region and not (region.isascii() and region.isdecimal() and len(region) in (2, 4, 6)):
        raise ConfigError(f"--region {region!r}: allowed: a GB/T 2260 code of 2, 4 or 6 digits; leave it out for all")
    settings = settings_of(config)
    timezone, now_ns = load_calendar(settings.scheduler.calendar_file).timezone, wall_ns()
    period = _period(week, day, now_ns, timezone)
    with open_to_read(settings) as store:
        result = make_report(store, region, period, timezone, hebei(), now_ns)
    if html is not None:
        exhibits = ExhibitReader(Path(settings.record.evidence_dir), open_archive_files(settings.record))
        write_text(html, html_page(result.digest, lang, finding_pictures(exhibits, result.standing[:pictures])))
    if csv is not None:
        _write_csv(csv, result, lang)
    if as_json:
        _print_json(result)
    _say_period(result.digest)


def _write_csv(path: Path, result: "Report", lang: Lang) -> None:
    from engine.notices.csv_report import findings_csv, league_csv
    from engine.notices.vocabulary import Words

    words = Words(lang)
    write_text(path, league_csv(result.digest, words))
    write_text(path.with_suffix(f".findings{path.suffix}"), findings_csv(result.digest, words, result.standing))


def _print_json(result: "Report") -> None:
    from engine.batch.report_json import report_json

    print_json(report_json(result))


def _period(week: str, day: str, now_ns: int, timezone: str) -> "Period":
    from engine.notices.digest import Period

    if not week and not day:
        return Period.last_week(now_ns, timezone)
    period = Period.of_week(week) if week else Period.of_day(day)
    if period.wall_ns(timezone)[0] > now_ns:
        option = f"--week {week}" if week else f"--day {day}"
        raise ConfigError(f"{option}: begins on {period.first}, which is still to come; give an earlier one")
    return period


def _say_period(digest: "Digest") -> None:
    """Say on stderr which days the digest covers, and what to do if there was nothing on them."""
    period = digest.period
    ERR.out(f"period {period.name}: {period.first} to {period.last} ({digest.timezone})", highlight=False)
    if not digest.kpi_days and not digest.total.standing:
        ERR.out(
            "nothing was counted or found in this period; `patrol kpi` shows the latest day that has counts; name a "
            "period with --week or --day",
            highlight=False,
        )
