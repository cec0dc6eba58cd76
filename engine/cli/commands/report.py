"""`patrol report`: writes the daily or weekly digest of a region as a web page or CSV."""

from pathlib import Path
from typing import Annotated

import typer

from engine.cli.database import open_to_read
from engine.cli.options import ERR, ConfigOption, settings_of
from engine.clock import wall_ns
from engine.config.calendar import load_calendar
from engine.errors import ConfigError, PatrolError
from engine.interchange.regions import hebei
from engine.notices.vocabulary import Lang


def report(
    region: Annotated[str, typer.Option(help="GB/T 2260 code: 13 a province, 1301 a city, 130102 a county.")] = "",
    week: Annotated[str, typer.Option(help="ISO 8601 week, Monday to Sunday, for example 2026-W47.")] = "",
    day: Annotated[str, typer.Option(help="Day, for example 2026-11-24.")] = "",
    lang: Annotated[Lang, typer.Option(help="Language: zh (Chinese) or en (English).")] = Lang.ZH,
    html: Annotated[Path | None, typer.Option(help="HTML file to write, ready to print.")] = None,
    csv: Annotated[
        Path | None,
        typer.Option(
            help="CSV file X.csv to write: the league with all figures. The findings go into X.findings.csv beside it."
        ),
    ] = None,
    config: ConfigOption = None,
) -> None:
    """Write the digest of a region: rates, the league of its counties, findings, and what is overdue or supervised.

    The digest of a county lists its canteens instead of counties. Reads the database, whether the engine runs or not.
    """
    from engine.batch.report import report as make_report
    from engine.notices.csv_report import findings_csv, league_csv
    from engine.notices.digest import Period
    from engine.notices.html_page import html as html_page
    from engine.notices.vocabulary import Words

    if bool(week) == bool(day):
        raise ConfigError("report: give one of --week 2026-W47 and --day 2026-11-24")
    if html is None and csv is None:
        raise ConfigError("report: give --html FILE, --csv FILE or both")
    if region and not (region.isascii() and region.isdecimal() and len(region) in (2, 4, 6)):
        raise ConfigError(f"--region {region!r}: allowed: a GB/T 2260 code of 2, 4 or 6 digits; leave it out for all")
    period = Period.of_week(week) if week else Period.of_day(day)
    settings = settings_of(config)
    timezone = load_calendar(settings.scheduler.calendar_file).timezone
    with open_to_read(settings) as store:
        result = make_report(store, region, period, timezone, hebei(), wall_ns())
    words = Words(lang)
    if html is not None:
        _write(html, html_page(result.digest, lang))
    if csv is not None:
        _write(csv, league_csv(result.digest, words))
        _write(csv.with_suffix(f".findings{csv.suffix}"), findings_csv(result.digest, words, result.pressing))


def _write(path: Path, text: str) -> None:
    try:
        path.write_text(text, encoding="utf-8", newline="")
    except OSError as error:
        raise PatrolError(f"{path}: {error.strerror}; give another file") from error
    ERR.out(f"wrote {path}", highlight=False)
