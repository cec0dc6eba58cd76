"""Converts digests to messages of patrol.v1 and back. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date

from engine.model.digest import DigestLine, DigestQuery, DigestReport, DigestTally
from engine.model.findings import Level
from engine.model.kpi import KpiName, Rate
from engine.model.verdict import Severity
from engine.serve.messages.convert import severity_number, severity_of, timestamp, wall_ns_of
from engine.serve.messages.findings import finding_message, finding_of, level_number, level_of
from engine.serve.messages.kpis import day_message, day_of, rate_message, rates_of
from patrol.v1 import findings_pb2, patrol_pb2


def digest_query_of(request: findings_pb2.GetDigestRequest) -> DigestQuery:
    """Return the query in a request. Raises InvalidArgumentError if there is no such day."""
    return DigestQuery(
        region_prefix=request.region_prefix,
        weekly=request.period != findings_pb2.DIGEST_PERIOD_DAY,
        day=day_of(request.date, "date"),
        with_html=request.with_html,
        lang=request.language_code or "zh",
    )


def digest_query_message(query: DigestQuery) -> findings_pb2.GetDigestRequest:
    """Return a query as a request."""
    return findings_pb2.GetDigestRequest(
        region_prefix=query.region_prefix,
        period=findings_pb2.DIGEST_PERIOD_WEEK if query.weekly else findings_pb2.DIGEST_PERIOD_DAY,
        date=day_message(query.day),
        with_html=query.with_html,
        language_code=query.lang,
    )


def digest_message(report: DigestReport) -> findings_pb2.Digest:
    """Return a digest as a message."""
    return findings_pb2.Digest(
        region_prefix=report.region,
        region_display_name=report.region_name,
        first_day=day_message(report.first),
        last_day=day_message(report.last),
        time_zone=report.timezone,
        make_time=timestamp(report.made_wall_ns),
        so_far=report.so_far,
        rates=_rate_messages(report.rates),
        rates_before=_rate_messages(report.before),
        days=report.kpi_days,
        league=map(_line_message, report.league),
        total=_tally_message(report.total),
        by_severity=(
            findings_pb2.DigestGroup(severity=severity_number(severity), findings=_tally_message(tally))
            for severity, tally in report.by_severity.items()
        ),
        by_level=(
            findings_pb2.DigestGroup(level=level_number(level), findings=_tally_message(tally))
            for level, tally in report.by_level.items()
        ),
        findings=map(finding_message, report.findings),
        findings_left_out=report.left_out,
        html=report.html,
    )


def digest_of(message: findings_pb2.Digest) -> DigestReport:
    """Return the digest in a message."""
    by_severity: dict[Severity, DigestTally] = {}
    by_level: dict[Level, DigestTally] = {}
    for group in message.by_severity:
        severity = severity_of(group.severity)
        if severity is not None:
            by_severity[severity] = _tally_of(group.findings)
    for group in message.by_level:
        level = level_of(group.level)
        if level is not None:
            by_level[level] = _tally_of(group.findings)
    return DigestReport(
        region=message.region_prefix,
        region_name=message.region_display_name,
        first=day_of(message.first_day, "first_day") or date.min,
        last=day_of(message.last_day, "last_day") or date.min,
        timezone=message.time_zone,
        made_wall_ns=wall_ns_of(message.make_time),
        so_far=message.so_far,
        rates=rates_of(message.rates),
        before=rates_of(message.rates_before),
        kpi_days=message.days,
        league=tuple(map(_line_of, message.league)),
        total=_tally_of(message.total),
        by_severity=by_severity,
        by_level=by_level,
        findings=tuple(map(finding_of, message.findings)),
        left_out=message.findings_left_out,
        html=message.html,
    )


def _rate_messages(rates: Mapping[KpiName, Rate]) -> Iterable[patrol_pb2.Rate]:
    return (rate_message(kpi, rate) for kpi, rate in rates.items())


def _line_message(line: DigestLine) -> findings_pb2.DigestLine:
    message = findings_pb2.DigestLine(
        place=line.place or 0,
        code=line.code,
        display_name=line.name,
        rates=_rate_messages(line.rates),
        findings=_tally_message(line.tally),
    )
    if line.points is not None:
        message.points = line.points
    return message


def _line_of(message: findings_pb2.DigestLine) -> DigestLine:
    return DigestLine(
        message.place or None,
        message.code,
        message.display_name,
        rates_of(message.rates),
        _tally_of(message.findings),
        message.points if message.HasField("points") else None,
    )


def _tally_message(tally: DigestTally) -> findings_pb2.DigestTally:
    return findings_pb2.DigestTally(**asdict(tally))


def _tally_of(message: findings_pb2.DigestTally) -> DigestTally:
    return DigestTally(
        message.opened, message.closed, message.dismissed, message.standing, message.overdue, message.supervised
    )
