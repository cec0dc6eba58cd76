"""Series that Prometheus computes from ours by recording rules, because alerts and dashboards share them. Pure.

Each has the labels job and instance besides its own. docs/alerts.yml has the rules.
"""

from dataclasses import dataclass

from engine.metrics.metric import Label, Metric
from engine.metrics.vitals import VITAL_METRICS
from engine.model.keyframe import DropReason

_VITAL_LABELS = {label.name: label for metric in VITAL_METRICS for label in metric.labels}


@dataclass(frozen=True, slots=True)
class Recorded:
    """One recording rule. `expression`: PromQL."""

    metric: Metric
    expression: str


RECORDED = (
    Recorded(
        Metric(
            "instance:patrol_period_lag_seconds:ratio",
            "gauge",
            (),
            "ratio",
            "How late the most overdue camera is / the configured period of ordinary cameras.",
            "Above 1: `patrol top` shows what cameras wait for.",
        ),
        "patrol_period_lag_seconds / on (job, instance) max by (job, instance) "
        '(patrol_class_period_seconds{class="ordinary", which="configured"})',
    ),
    Recorded(
        Metric(
            "instance:patrol_cameras:offline_ratio",
            "gauge",
            (),
            "ratio",
            "Cameras announced offline / all cameras.",
            "patrol_cameras_failing says for what reason, patrol_outage_cameras on which platform.",
        ),
        'sum by (job, instance) (patrol_cameras{state="offline"}) / sum by (job, instance) (patrol_cameras)',
    ),
    Recorded(
        Metric(
            "instance_process:patrol_process_open_descriptors:ratio",
            "gauge",
            (_VITAL_LABELS["process"],),
            "ratio",
            "Descriptors that a process has open / that it may have open; processes without a limit have no series.",
            "Near 1: raise LimitNOFILE (ulimit -n), then restart.",
        ),
        "patrol_process_open_descriptors / (patrol_process_descriptors_max > 0)",
    ),
    Recorded(
        Metric(
            "instance_folder:patrol_disk_free_bytes:ratio",
            "gauge",
            (_VITAL_LABELS["folder"],),
            "ratio",
            "What the engine may still write to the disk of a folder / the size of that disk.",
            "Below 0.05: free space, or lower record.evidence_bytes_max and the days that are kept.",
        ),
        "patrol_disk_free_bytes / patrol_disk_bytes",
    ),
    Recorded(
        Metric(
            "instance:patrol_evidence_bytes:ratio",
            "gauge",
            (),
            "ratio",
            "Size of all keyframes that are kept / record.evidence_bytes_max.",
            "Near 1 the oldest are deleted: raise record.evidence_bytes_max if the disk has room.",
        ),
        "patrol_evidence_bytes / patrol_evidence_budget_bytes",
    ),
    Recorded(
        Metric(
            "instance_reason:patrol_intake_dropped_frames_total:increase15m",
            "gauge",
            (Label("reason", tuple(DropReason)),),
            "keyframes",
            "Keyframes dropped without a measurement within 15 minutes.",
            "As patrol_intake_dropped_frames_total.",
        ),
        "sum by (job, instance, reason) (increase(patrol_intake_dropped_frames_total[15m]))",
    ),
)
