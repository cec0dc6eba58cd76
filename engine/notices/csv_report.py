"""Writes a digest as two CSV files for spreadsheets: the league with all its figures, and the findings. Pure.

The column heads are words in Chinese; in English they are names for programs.
"""

import io
from collections.abc import Iterable, Sequence

from engine.csv_cells import CsvWriter
from engine.model.digest import DigestLine, DigestTally
from engine.model.kpi import KpiName, Rate
from engine.notices import formatting
from engine.notices.digest import Digest, FindingSnapshot
from engine.notices.vocabulary import Lang, Words

UTF8_BOM = "\ufeff"
"""Tells Excel that a file is UTF-8."""
_TALLY_FIELDS = ("opened", "closed", "dismissed", "standing", "overdue", "supervised")
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


def league_csv(digest: Digest, words: Words) -> str:
    """Return one line per county (for a county's digest: per canteen) and a total; every rate with its parts."""
    rates = {kpi.name: kpi.rate for kpi in digest.kpis}
    total = DigestLine(None, digest.region, words["total"], rates, digest.total)
    return _csv([_league_head(digest, words), *(_line(line) for line in (*digest.league, total))])


def findings_csv(digest: Digest, words: Words, findings: Sequence[FindingSnapshot]) -> str:
    """Return one line per finding."""
    names = {section.code: section.name for section in digest.sections}
    at_ns = formatting.as_of_ns(digest)
    rows = []
    for snapshot in findings:
        finding, subject = snapshot.finding, snapshot.finding.subject
        rows.append(
            [
                f"findings/{finding.finding_id}", subject.region, names.get(subject.region, subject.region),
                subject.site_name or subject.site_id, snapshot.camera_name, subject.camera_id,
                words.problem(subject.cause_key), words.severity(finding.severity),
                formatting.moment(finding.opened_wall_ns, digest.timezone, year=True),
                formatting.moment(finding.deadline_wall_ns, digest.timezone, year=True),
                formatting.overdue_for(snapshot, at_ns, words),
                words.level(finding.level), words.state(finding.state), words["supervised"] * finding.supervised,
            ]
        )  # fmt: skip
    head = FINDING_COLUMNS if words.lang == Lang.EN else [words[key] for key in _FINDING_WORDS]
    return _csv([head, *rows])


def _league_head(digest: Digest, words: Words) -> list[str]:
    if words.lang == Lang.EN:
        rates = [f"{name}_{part}" for name in KpiName for part in _RATE_PARTS]
        return ["place", "code", "name", "points", *rates, *_TALLY_FIELDS]
    rates = [f"{words.kpi_short(name)}：{words[part]}" for name in KpiName for part in _RATE_PARTS]
    subject = words["canteen" if digest.of_canteens else "county"]
    return [words["place"], words["code"], subject, words["score"], *rates, *(words[name] for name in _TALLY_FIELDS)]


def _line(line: DigestLine) -> list[str]:
    place, points = ("" if value is None else str(value) for value in (line.place, line.points))
    cells = [place, line.code, line.name, points]
    for name in KpiName:
        rate = line.rates.get(name, _NO_RATE)
        value = "" if rate.value is None else f"{rate.value:.6f}"
        cells += [value, *map(str, (rate.numerator, rate.denominator, rate.not_measured, rate.registered))]
    return cells + _tally(line.tally)


def _tally(tally: DigestTally) -> list[str]:
    return [str(getattr(tally, name)) for name in _TALLY_FIELDS]


def _csv(rows: Iterable[Sequence[str]]) -> str:
    text = io.StringIO()
    CsvWriter(text).rows(rows)
    return UTF8_BOM + text.getvalue()
