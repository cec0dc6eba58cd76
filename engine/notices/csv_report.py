"""A digest as two CSV files that spreadsheets open: the league with all its figures, and the findings. Pure.

The heads of the columns are words in Chinese, and names for programs in English.
"""

import csv
import io
from collections.abc import Iterable, Sequence

from engine.model.kpi import KpiName, Rate
from engine.notices import formatting
from engine.notices.digest import Digest, FindingSnapshot, LeagueLine, Tally
from engine.notices.vocabulary import Lang, Words

UTF8_BOM = "\ufeff"
"""Tells Excel that a file is UTF-8."""
_TALLY = ("opened", "closed", "dismissed", "standing", "overdue", "supervised")
FINDING_COLUMNS = (
    "finding", "county_code", "county", "canteen", "camera", "camera_id", "problem", "severity", "since", "deadline",
    "overdue_for", "level", "state", "supervised",
)  # fmt: skip
_FINDING_WORDS = (
    "number", "code", "county", "canteen", "camera", "camera_id", "problem", "severity", "since", "deadline", "late",
    "level", "state", "supervised",
)  # fmt: skip
_RATE_PARTS = ("rate", "numerator", "denominator", "not_measured", "registered")
_NO_RATE = Rate(0, 0)
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


def league_csv(digest: Digest, words: Words) -> str:
    """One line a county, or canteen of a county, and one of all; every rate with its parts."""
    rates = {one.name: one.rate for one in digest.kpis}
    total = LeagueLine(None, digest.region, words["total"], rates, None, digest.total)
    return _csv([_league_head(digest, words), *(_line(one) for one in (*digest.league, total))])


def findings_csv(digest: Digest, words: Words, cases: Sequence[FindingSnapshot]) -> str:
    """One line a finding."""
    names = {chapter.code: chapter.name for chapter in digest.chapters}
    at_ns = formatting.as_of_ns(digest)
    rows = []
    for case in cases:
        finding, subject = case.finding, case.finding.subject
        rows.append(
            [
                f"findings/{finding.finding_id}", subject.region, names.get(subject.region, subject.region),
                subject.site_name or subject.site_id, case.camera_name, subject.camera_id,
                words.problem(subject.cause_key), words.severity(finding.severity),
                formatting.moment(finding.opened_wall_ns, digest.timezone, year=True),
                formatting.moment(finding.deadline_wall_ns, digest.timezone, year=True),
                formatting.overdue_for(case, at_ns, words),
                words.level(finding.level), words.state(finding.state), words["supervised"] * finding.supervised,
            ]
        )  # fmt: skip
    head = FINDING_COLUMNS if words.lang == Lang.EN else [words[key] for key in _FINDING_WORDS]
    return _csv([head, *rows])


def _league_head(digest: Digest, words: Words) -> list[str]:
    if words.lang == Lang.EN:
        rates = [f"{name}_{part}" for name in KpiName for part in _RATE_PARTS]
        return ["place", "code", "name", *rates, *_TALLY]
    rates = [f"{words.kpi_short(name)}：{words[part]}" for name in KpiName for part in _RATE_PARTS]
    whose = words["canteen" if digest.of_canteens else "county"]
    return [words["place"], words["code"], whose, *rates, *(words[name] for name in _TALLY)]


def _line(standing: LeagueLine) -> list[str]:
    line = ["" if standing.place is None else str(standing.place), standing.code, standing.name]
    for name in KpiName:
        rate = standing.rates.get(name, _NO_RATE)
        value = "" if rate.value is None else f"{rate.value:.6f}"
        line += [value, *map(str, (rate.numerator, rate.denominator, rate.not_measured, rate.registered))]
    return line + _tally(standing.tally)


def _tally(tally: Tally) -> list[str]:
    return [str(getattr(tally, name)) for name in _TALLY]


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    csv.writer(text).writerows([_plain(cell) for cell in row] for row in rows)
    return UTF8_BOM + text.getvalue()


def _plain(cell: str) -> str:
    """A name that a spreadsheet would take for a formula is text."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
