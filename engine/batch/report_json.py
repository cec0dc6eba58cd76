"""Writes the digest of `patrol report` as JSON, in the words of the API."""

from dataclasses import asdict
from typing import Any

from engine.hub.services.digest_report import Report
from engine.model.digest import DigestLine
from engine.notices.digest import FindingSnapshot, KpiLine
from engine.serve.messages.findings import finding_message
from engine.serve.messages.kpis import rate_message
from engine.serve.messages.proto_json import message_json, time_json


def report_json(report: Report) -> dict[str, Any]:
    """Return the whole digest, with all findings that are open at its end, the most urgent first."""
    digest = report.digest
    return {
        "region": digest.region,
        "regionName": digest.region_name,
        "period": digest.period.name,
        "firstDay": digest.period.first.isoformat(),
        "lastDay": digest.period.last.isoformat(),
        "timezone": digest.timezone,
        "makeTime": time_json(digest.made_wall_ns),
        "soFar": digest.so_far,
        "kpiDays": digest.kpi_days,
        "kpis": [_kpi(line) for line in digest.kpis],
        "league": [_league(line) for line in digest.league],
        "findings": asdict(digest.total),
        "findingsBySeverity": {severity.value: asdict(tally) for severity, tally in digest.by_severity.items()},
        "findingsByLevel": {level.value: asdict(tally) for level, tally in digest.by_level.items()},
        "openFindings": [_finding(snapshot) for snapshot in report.standing],
    }


def _kpi(line: KpiLine) -> dict[str, Any]:
    before = None if line.before is None else message_json(rate_message(line.name, line.before))
    return {"rate": message_json(rate_message(line.name, line.rate)), "before": before}


def _league(line: DigestLine) -> dict[str, Any]:
    return {
        "place": line.place,
        "code": line.code,
        "name": line.name,
        "points": line.points,
        "rates": [message_json(rate_message(kpi, rate)) for kpi, rate in line.rates.items()],
        "findings": asdict(line.tally),
    }


def _finding(snapshot: FindingSnapshot) -> dict[str, Any]:
    return {
        "finding": message_json(finding_message(snapshot.finding)),
        "cameraName": snapshot.camera_name,
        "missedTime": time_json(snapshot.missed_wall_ns),
        "exhibit": snapshot.exhibit,
    }
