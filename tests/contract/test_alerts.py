"""docs/alerts.yml names metrics, labels and values that exist, and every rule fires when it should."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from engine.docgen.alerts import link
from engine.metrics import Metrics
from engine.metrics.definitions import METRICS
from engine.metrics.metric import Label
from engine.metrics.recorded import RECORDED
from engine.metrics.web import WEB_METRICS, WebMetrics
from engine.model.keyframe import DropReason

DOCS = Path(__file__).parents[2] / "docs"
FILE = DOCS / "alerts.yml"
ALL_RULES: list[dict[str, Any]] = [
    rule for group in yaml.safe_load(FILE.read_text(encoding="utf-8"))["groups"] for rule in group["rules"]
]
RULES = [rule for rule in ALL_RULES if "alert" in rule]
DEFINED = {metric.name: metric for metric in (*METRICS, *WEB_METRICS, *(rule.metric for rule in RECORDED))}
FOREIGN = {"up", "process_start_time_seconds"}
"""Metrics that Prometheus itself, or its client library, makes."""
ALWAYS = {"job", "instance"}
"""Labels that Prometheus adds to every series of ours."""

SELECTOR = re.compile(r"(?<!\w)((?:instance\w*:)?(?:patrol|process)_[a-z_]+(?::\w+)?|up)\b(?:\{([^}]*)\})?")
MATCHER = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)\s*\"([^\"]*)\"")
GROUPING = re.compile(r"\b(?:by|on)\s*\(([^)]*)\)")

FIRES = {
    "PatrolDown": {"up": "0x20"},
    "PatrolShardAway": {'patrol_shards{state="away"}': "2x20"},
    "PatrolNotReady": {"patrol_ready": "0x20"},
    "PatrolHubRestarts": {"process_start_time_seconds": "1 2 3 4x20"},
    "PatrolProcessStuck": {'patrol_process_restarts_total{kind="hub",reason="stopped"}': "0x12 1x20"},
    "PatrolProcessGrows": {'patrol_process_restarts_total{kind="worker",reason="memory"}': "0x60 1 2 3 4x60"},
    "PatrolHeartbeatLate": {'patrol_heartbeat_age_seconds{kind="hub"}': "9x30"},
    "PatrolDescriptorsShort": {
        'patrol_process_open_descriptors{process="hub"}': "900x30",
        'patrol_process_descriptors_max{process="hub"}': "1024x30",
    },
    "PatrolDatabaseFileLost": {'patrol_not_ready{part="database_file"}': "1x30"},
    "PatrolDiskFull": {
        'patrol_disk_free_bytes{folder="evidence"}': "4x30",
        'patrol_disk_bytes{folder="evidence"}': "100x30",
    },
    "PatrolProcessRestarts": {'patrol_worker_restarts_total{reason="signal_9"}': "0x12 1 2 3 4 5 5x20"},
    "PatrolPicturesTooCostly": {'patrol_intake_dropped_frames_total{reason="too_costly"}': "0x12 2 4 6 8x20"},
    "PatrolKeyframesDropped": {'patrol_intake_dropped_frames_total{reason="queue_full"}': "0x12 9 18 27 36x20"},
    "PatrolNoFeeder": {'patrol_feeders_ready{kind="feeder"}': "0x20"},
    "PatrolVisitsExhausted": {'patrol_visits_total{outcome="exhausted",via="rtsp"}': "0x15 3x10"},
    "PatrolVisitsBreak": {'patrol_visits_total{outcome="internal",via="demux"}': "0x60 1x30"},
    "PatrolFloods": {'patrol_cameras_failing{reason="flood"}': "2x90"},
    "PatrolCallsRefused": {'patrol_calls_refused_total{reason="token_invalid"}': "0x15 200x5"},
    "PatrolHandshakesFailed": {'patrol_handshakes_failed_total{listener="grpc"}': "0x15 50x5"},
    "PatrolWebRefuses": {'patrol_web_refused_total{kind="streams"}': "0x15 50x5"},
    "PatrolSpansLost": {'patrol_trace_spans_total{outcome="failed"}': "0x5 1+1x40"},
    "PatrolScrapesRefused": {'patrol_scrapes_refused_total{reason="password_wrong"}': "0x12 1 1 1"},
    "PatrolStoreErrors": {'patrol_store_errors_total{part="store"}': "0x18 1 1 1"},
    "PatrolVerdictsLost": {'patrol_store_dropped_total{reason="queue_full"}': "0x15 3x10"},
    "PatrolLate": {
        "patrol_period_lag_seconds": "2000x30",
        'patrol_class_period_seconds{class="ordinary",which="configured"}': "1800x30",
    },
    "PatrolManyCamerasOffline": {
        'patrol_cameras{state="offline",region="130102"}': "3x30",
        'patrol_cameras{state="ok",region="130102"}': "7x30",
    },
    "PatrolOutage": {'patrol_outage_cameras{host="10.0.0.1"}': "500x30"},
    "PatrolEvidenceNearBudget": {"patrol_evidence_bytes": "99x90", "patrol_evidence_budget_bytes": "100x90"},
    "PatrolExhibitsLost": {"patrol_evidence_pinned_bytes": "96x30", "patrol_evidence_budget_bytes": "100x30"},
    "PatrolFindingsOverdue": {'patrol_findings_open{severity="blind",level="county",overdue="true"}': "2x90"},
    "PatrolNoticesFailing": {
        'patrol_notices_circuit_open{endpoint="county"}': "0x90",
        'patrol_notices_total{endpoint="county",outcome="dead"}': "0x60 1x30",
    },
    "PatrolPushesRefused": {'patrol_intake_dropped_frames_total{reason="out_of_scope"}': "0x12 5 5 5"},
    "PatrolGatewaysRefused": {"patrol_gateways_refused_total": "0x12 1 1 1"},
    "PatrolGatewaysClosed": {"patrol_gateway_connections_closed_total": "0x12 1 1 1"},
    "PatrolCertificateExpires": {"patrol_certificate_remaining_seconds": "86400x30"},
    "PatrolTokenExpires": {"patrol_token_remaining_seconds": "86400x30"},
    "PatrolConfigStale": {"patrol_config_stale": "1x30"},
}
"""By rule, series that make it fire, in Prometheus's notation, a value a minute."""
ORDINARY_DROPS = (DropReason.SUPERSEDED, DropReason.UNKNOWN_VISIT, DropReason.SHUTDOWN)
"""Why keyframes are dropped when all is well: replaced by a newer one, late, or under way when the engine stops."""
SLOW = (
    "PatrolProcessGrows",
    "PatrolEvidenceNearBudget",
    "PatrolFindingsOverdue",
    "PatrolNoticesFailing",
    "PatrolVisitsBreak",
    "PatrolFloods",
)
"""Rules that wait for an hour or look back for one."""


def test_every_rule_has_what_an_operator_needs() -> None:
    names = [rule["alert"] for rule in RULES]
    assert len(set(names)) == len(names) >= 6
    for rule in RULES:
        assert rule["labels"]["severity"] in ("critical", "warning", "info")
        assert set(rule["annotations"]) == {"summary", "description", "runbook_url"}
        assert all(rule["annotations"].values())
        assert rule["annotations"]["runbook_url"] == link(rule["alert"])


def test_what_is_recorded_is_defined_once_and_used() -> None:
    recorded = {rule["record"]: rule["expr"] for rule in ALL_RULES if "record" in rule}
    assert recorded == {rule.metric.name: rule.expression for rule in RECORDED}
    used = " ".join(rule["expr"] for rule in RULES)
    assert [name for name in recorded if name not in used] == []
    for rule in RECORDED:
        assert rule.metric.help.endswith(".")
        assert rule.metric.what_to_do.endswith(".")


@pytest.mark.parametrize("rule", ALL_RULES, ids=lambda rule: rule.get("alert") or rule["record"])
def test_a_rule_names_metrics_labels_and_values_that_exist(rule: dict[str, Any]) -> None:
    expression = rule["expr"]
    used = SELECTOR.findall(expression)
    assert used
    labels = set(ALWAYS)
    for name, matchers in used:
        assert name in DEFINED or name in FOREIGN, f"there is no metric {name}"
        known: dict[str, Label] = {label.name: label for label in DEFINED[name].labels} if name in DEFINED else {}
        labels |= set(known)
        for label, value in MATCHER.findall(matchers):
            if label in ALWAYS:
                continue
            assert label in known, f"{name} has no label {label}"
            unknown = set() if not known[label].values else set(value.split("|")) - set(known[label].values)
            assert not unknown, f"{label} is never {unknown}"
    for group in GROUPING.findall(expression):
        assert {label.strip() for label in group.split(",")} <= labels
    for label in re.findall(r"\$labels\.(\w+)", json.dumps(rule.get("annotations", {}))):
        assert label in labels


def test_promtool_finds_nothing_wrong_with_rules_and_names() -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    checked = subprocess.run([promtool, "check", "rules", str(FILE)], capture_output=True, text=True)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    assert f"{len(ALL_RULES)} rules found" in checked.stdout
    linted = subprocess.run([promtool, "check", "metrics"], input=Metrics("x").render(), capture_output=True)
    assert (linted.returncode, linted.stdout + linted.stderr) == (0, b"")


def test_every_rule_fires_when_it_should_and_no_other(tmp_path: Path) -> None:
    assert set(FIRES) == {rule["alert"] for rule in RULES}
    tests = []
    for rule in RULES:
        alert = rule["alert"]
        fired = [{"labels": f'{{alertname="{alert}"}}', "value": 1}]
        tests.append(_case({"up": "1x100"} | FIRES[alert], 85 if alert in SLOW else 20, fired))
    _test_rules(tmp_path, tests)


def test_nothing_fires_while_all_is_well(tmp_path: Path) -> None:
    metrics = Metrics("x")
    metrics.readiness(True, True)
    metrics.vitals.heartbeats({"hub": 0.1, "worker": 1.0})
    metrics.vitals.descriptors({"hub": 60, "web": 60}, {"hub": 1024, "web": 0})
    metrics.vitals.disks({"database": 50, "evidence": 50}, {"database": 100, "evidence": 100})
    metrics.vitals.not_ready(set())
    metrics.feeders({"feeder": 1})
    metrics.evidence(90, 10, 100, 0, {})
    metrics.cameras({("ok", "130102"): 9, ("offline", "130102"): 1})
    metrics.notice_endpoint("county")
    web = WebMetrics()
    web.in_flight(3, 2)
    series = {
        line.rpartition(" ")[0]: " ".join([line.rpartition(" ")[2].removesuffix(".0").removeprefix("+")] * 90)
        for line in (metrics.render() + web.render()).decode().splitlines()
        if line.startswith("patrol_")
    }
    assert len(series) > 100
    _test_rules(tmp_path, [_case({"up": "1x100"} | series, minute, []) for minute in (20, 85)])


def test_keyframes_that_newer_ones_replace_wake_nobody(tmp_path: Path) -> None:
    ordinary = {f'patrol_intake_dropped_frames_total{{reason="{reason}"}}': "0+500x30" for reason in ORDINARY_DROPS}
    _test_rules(tmp_path, [_case({"up": "1x100"} | ordinary, 20, [])])


def test_every_other_reason_of_a_drop_has_an_alert() -> None:
    name = "patrol_intake_dropped_frames_total"
    named = [found for rule in RULES for metric, found in SELECTOR.findall(rule["expr"]) if name in metric]
    reasons = [value for found in named for _, values in MATCHER.findall(found) for value in values.split("|")]
    assert sorted(reasons) == sorted(set(DropReason) - set(ORDINARY_DROPS))


def _case(series: dict[str, str], minute: int, fired: list[dict[str, Any]]) -> dict[str, Any]:
    """A case of promtool: these series, and what fires at this minute."""
    fires = {"expr": 'count by (alertname) (ALERTS{alertstate="firing"})', "eval_time": f"{minute}m"}
    return {
        "interval": "1m",
        "input_series": [{"series": _placed(name), "values": values} for name, values in series.items()],
        "promql_expr_test": [fires | {"exp_samples": fired}],
    }


def _test_rules(folder: Path, cases: list[dict[str, Any]]) -> None:
    promtool = shutil.which("promtool")
    if promtool is None:
        pytest.skip("promtool is not installed (Debian: prometheus)")
    file = folder / "cases.yml"  # JSON is YAML
    file.write_text(json.dumps({"rule_files": [str(FILE)], "evaluation_interval": "1m", "tests": cases}))
    ran = subprocess.run([promtool, "test", "rules", str(file)], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stdout + ran.stderr


def _placed(series: str) -> str:
    """The series as a scrape of the engine stores it."""
    name, _, labels = series.partition("{")
    places = 'job="kitchen-patrol",instance="a"'
    return f"{name}{{{places},{labels}" if labels else f"{name}{{{places}}}"
