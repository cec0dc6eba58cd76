"""Metrics of the scheduler: who is late, by how much, and what cameras wait for. Pure."""

from engine.metrics.labels import HOST, REGION
from engine.metrics.metric import Label, Metric
from engine.model.camera import CameraStream
from engine.model.schedule import SetAsideReason
from engine.model.visit import FailureReason

CAMERA_CLASSES = ("key_point", "ordinary", "suspicious", "offline")
STREAM_OUTCOMES = ("keyframe", "failed")
_CLASS = Label("class", CAMERA_CLASSES)
_STREAM = Label("stream", tuple(CameraStream))

SCHEDULING_METRICS = (
    Metric(
        "patrol_period_lag_seconds",
        "gauge",
        (),
        "seconds",
        "How late the most overdue camera is.",
        "Longer than a period: `patrol top` shows what cameras wait for.",
    ),
    Metric(
        "patrol_visit_lag_seconds",
        "histogram",
        (_CLASS,),
        "seconds",
        "How late a visit began.",
        "As patrol_period_lag_seconds; the class says who waits.",
    ),
    Metric(
        "patrol_class_cameras",
        "gauge",
        (_CLASS,),
        "cameras",
        "Cameras by the scheduler's class.",
        "Many suspicious: they are visited more often, which costs capacity. All are offline: the network of the "
        "engine.",
    ),
    Metric(
        "patrol_class_period_seconds",
        "gauge",
        (_CLASS, Label("which", ("configured", "stretched", "achieved"))),
        "seconds",
        "Period: configured, stretched, achieved.",
        "achieved above configured: the machine or the caps are too small; `patrol config check` has the arithmetic.",
    ),
    Metric(
        "patrol_class_coverage_ratio",
        "gauge",
        (_CLASS,),
        "ratio",
        "Periods with a check / periods due, since the start.",
        "Below what is promised: patrol_periods_shed says what cameras waited for.",
    ),
    Metric(
        "patrol_periods_shed",
        "gauge",
        (Label("reason", ("overload", "uplink_cap", "host_cap", "host_rate", "outage", "paused", "internal")),),
        "periods",
        "Periods without a check, by what the camera waited for.",
        "overload: more cores or longer periods. uplink_cap, host_cap, host_rate: raise the cap, if the recorder "
        "or platform bears it. outage: the platform. internal: the log.",
    ),
    Metric(
        "patrol_visits_allowed",
        "gauge",
        (),
        "visits",
        "Visits that may be in flight: the least of cap, feeders' capacity, room in the intake.",
        "0 for long: no feeder takes orders, or the intake is full.",
    ),
    Metric(
        "patrol_cameras_failing",
        "gauge",
        (Label("reason", tuple(FailureReason)),),
        "cameras",
        "Cameras whose last visit failed, by reason.",
        "docs/troubleshooting.md#cameras-offline says by reason what to do; `patrol cameras list --reason REASON` "
        "names the cameras.",
    ),
    Metric(
        "patrol_scheduler_overloaded",
        "gauge",
        (),
        "0 or 1",
        "1 while demand is above capacity: periods are stretched.",
        "1 for hours: more cores, or longer periods; `patrol simulate` tries a plan first.",
    ),
    Metric(
        "patrol_scheduler_waiting",
        "gauge",
        (Label("gate", ("slot", "uplink", "host")),),
        "cameras",
        "Due cameras that wait, by what for: slot, uplink, host.",
        "slot: raise scheduler.visits_max or run more feeders. uplink, host: their caps.",
    ),
    Metric(
        "patrol_scheduler_demand",
        "gauge",
        (),
        "visits a second",
        "Visits a second that the configured periods need.",
        "Above patrol_scheduler_capacity while overloaded: longer periods, or more cores.",
    ),
    Metric(
        "patrol_scheduler_capacity",
        "gauge",
        (),
        "visits a second",
        "Visits a second that the machine achieves under overload; 0: it is not overloaded.",
        "As patrol_scheduler_demand.",
    ),
    Metric(
        "patrol_county_lag_seconds",
        "gauge",
        (REGION,),
        "seconds",
        "Longest lag of the last two minutes; the worst counties only.",
        "One county far above the others: its platform or recorders are slow, or their caps small.",
    ),
    Metric(
        "patrol_stream_visits_total",
        "counter",
        (_STREAM, Label("outcome", STREAM_OUTCOMES)),
        "visits",
        "Visits of cameras that have a sub-stream, by the stream that was visited.",
        "Few on sub although scheduler.streams says so: `patrol plan CAMERA` says why a camera is visited on main.",
    ),
    Metric(
        "patrol_stream_bytes_total",
        "counter",
        (_STREAM,),
        "bytes",
        "Bytes received in these visits.",
        "Divided by the visits: sub not far below main means that the recorder's sub-stream is set too large.",
    ),
    Metric(
        "patrol_sub_streams_set_aside_total",
        "counter",
        (Label("reason", tuple(SetAsideReason)),),
        "sub-streams",
        "Sub-streams that were of no use, so that their cameras are visited on the main stream for a while.",
        "failed: correct `sub_url` in the registry, or switch the sub-stream on in the recorder. contradicted: is it "
        "another camera's? Its size or bitrate may also be too small to judge.",
    ),
    Metric(
        "patrol_outages",
        "gauge",
        (),
        "platforms",
        "Platforms that are out.",
        "patrol_outage_cameras names the platforms.",
    ),
    Metric(
        "patrol_outage_cameras",
        "gauge",
        (HOST,),
        "cameras",
        "Cameras of a platform that is out; the platforms with most cameras, all others as `other`.",
        "Call who runs the platform. Its cameras come back by themselves.",
    ),
)
