"""The table of metrics: what each means, and what to do when it is bad. No camera is ever a label. Pure."""

from engine.metrics.labels import REGION
from engine.metrics.listeners import LISTENER_METRICS
from engine.metrics.metric import Label, Metric
from engine.metrics.readings import READING_METRICS
from engine.metrics.records import RECORD_METRICS
from engine.metrics.scheduling import SCHEDULING_METRICS
from engine.metrics.stories import STORY_METRICS
from engine.metrics.vitals import PROCESS_ENDS, VITAL_METRICS
from engine.model.keyframe import DropReason
from engine.model.verdict import State
from engine.model.visit import FailureReason, FeedKind

STAGES = (
    "connect", "keyframe_wait", "visit_total", "queue", "decode", "kernels", "judge", "arrival_to_verdict", "store",
)  # fmt: skip
CPU_STAGES = ("decode", "kernels", "judge")
VISIT_OUTCOMES = ("keyframe", *FailureReason, "expired")
PASSED_ON_OUTCOMES = ("taken", "kept", "unanswered")
FEEDER_KINDS = ("feeder", "demuxer")
REFUSED_REASONS = (
    "token_missing", "token_invalid", "token_ended", "role_too_low", "region_not_allowed", "not_in_region",
    "rate_token", "rate_address", "rate_failed",
)  # fmt: skip

_STAGE = Label("stage", STAGES)
_FEEDER_KIND = Label("kind", FEEDER_KINDS)
_PROCESS_END = Label("reason", PROCESS_ENDS)

METRICS = (
    Metric(
        "patrol_build_info",
        "info",
        (),
        "info",
        "Version of the engine.",
        "Nothing: for information. After an upgrade every instance shows the new version.",
    ),
    Metric(
        "patrol_ready",
        "gauge",
        (),
        "0 or 1",
        "1 while /readyz answers 200: the hub serves and can do its work.",
        "0 for minutes: `/readyz` names each part that is missing, as patrol_not_ready does.",
    ),
    Metric(
        "patrol_visits_total",
        "counter",
        (Label("via", (FeedKind.RTSP, FeedKind.DEMUX)), Label("outcome", VISIT_OUTCOMES)),
        "visits",
        "Visits ended; outcome: keyframe, or the reason.",
        "Many of one failure: docs/troubleshooting.md#cameras-offline has each. `lost`, `exhausted` and "
        "`internal` are faults of ours: the log.",
    ),
    Metric(
        "patrol_checks_total",
        "counter",
        (Label("state", tuple(State)),),
        "verdicts",
        "Verdicts, by the visit's own state.",
        "It stands still while cameras are enabled: patrol_ready, then patrol_visits_in_flight. Many offline: "
        "patrol_cameras_failing.",
    ),
    Metric(
        "patrol_stage_seconds",
        "histogram",
        (_STAGE,),
        "seconds",
        "Time spent in one stage of a check.",
        "The stage that grew says where: queue and decode, more cores or workers; connect and keyframe_wait, "
        "network and cameras; store, the database's disk.",
    ),
    Metric(
        "patrol_stage_cpu_seconds_total",
        "counter",
        (Label("stage", CPU_STAGES),),
        "seconds",
        "CPU time of decode, kernels and judge, without the time they wait for a core.",
        "Near the number of cores: the machine is full. More cores, or longer periods.",
    ),
    Metric(
        "patrol_intake_dropped_frames_total",
        "counter",
        (Label("reason", tuple(DropReason)),),
        "keyframes",
        "Keyframes dropped without a measurement.",
        "queue_full, stale, superseded: workers do not keep up; at a front, a shard is away or slow. unknown_key, "
        "out_of_scope, not_pushed, bad_time: a gateway, see `push refused` in the log. too_costly, malformed: what "
        "that camera sends. not_newer: a front sent it again, or its gateway's clock was set back. no_shard: `patrol "
        "cluster assign`.",
    ),
    Metric(
        "patrol_gateways_refused_total",
        "counter",
        (),
        "connections",
        "Connections to the intake that were refused because their key is not in intake.curve_clients_dir.",
        "A new gateway: put its public key into intake.curve_clients_dir. Otherwise find out who connects, and "
        "close the port to them.",
    ),
    Metric(
        "patrol_passed_on_frames_total",
        "counter",
        (Label("outcome", PASSED_ON_OUTCOMES),),
        "keyframes",
        "Keyframes of gateways that a front sent to the engines of shards. taken: the engine counts what becomes of "
        "them. kept: it had no room, or not the camera yet; unanswered: it did not answer. These two are sent again.",
        "unanswered or kept grow for minutes: that shard is away or overloaded, the front's log names it.",
    ),
    Metric(
        "patrol_intake_queue_frames",
        "gauge",
        (),
        "keyframes",
        "Keyframes that wait for a worker; at a front, for the engines of their shards.",
        "It stays high: workers do not keep up, see patrol_workers_ready and the CPU of the machine.",
    ),
    Metric(
        "patrol_intake_queue_bytes",
        "gauge",
        (),
        "bytes",
        "Size of the same keyframes.",
        "Near intake.queue_bytes_max keyframes are dropped: as patrol_intake_queue_frames.",
    ),
    Metric(
        "patrol_gateway_connections",
        "gauge",
        (),
        "connections",
        "TCP connections to the intake that are open.",
        "Near intake.connections_max: as patrol_gateway_connections_closed_total.",
    ),
    Metric(
        "patrol_gateway_connections_closed_total",
        "counter",
        (),
        "connections",
        "Connections to the intake that were closed because there were more than intake.connections_max.",
        "It grows: see with `ss -tn` who connects; keep strangers away by a firewall, or raise intake.connections_max.",
    ),
    Metric(
        "patrol_intake_queue_age_seconds",
        "gauge",
        (),
        "seconds",
        "How long the oldest keyframe in the queue has waited.",
        "Near intake.stale_after_s keyframes are dropped as stale: more workers or cores, or longer periods.",
    ),
    Metric(
        "patrol_visits_in_flight",
        "gauge",
        (),
        "visits",
        "Visits that are ordered and have not ended.",
        "0 while cameras are due: patrol_feeders_ready, patrol_visits_allowed. At patrol_visits_allowed for long: "
        "the caps limit the patrol.",
    ),
    Metric(
        "patrol_cameras",
        "gauge",
        (Label("state", ("unseen", *State)), REGION),
        "cameras",
        "Cameras by announced state and county.",
        "Many offline at once in one county: its network or platform. `patrol cameras list --state offline "
        "--region CODE` names them.",
    ),
    Metric(
        "patrol_cameras_long_offline",
        "gauge",
        (),
        "cameras",
        "Cameras announced offline for more than an hour.",
        "It grows from day to day: cameras that nobody mends; `patrol findings list` says who has to.",
    ),
    Metric(
        "patrol_config_reloads_total",
        "counter",
        (Label("outcome", ("applied", "unchanged", "refused")),),
        "reloads",
        "Reloads of the configuration; outcome: applied, unchanged, refused.",
        "refused grows: `patrol config check FILE` says what is wrong.",
    ),
    Metric(
        "patrol_config_stale",
        "gauge",
        (),
        "0 or 1",
        "1 while the last reload was refused and the old settings are in force.",
        "`patrol config check FILE` says what is wrong; mend it, then SIGHUP.",
    ),
    Metric(
        "patrol_worker_restarts_total",
        "counter",
        (_PROCESS_END,),
        "processes",
        "Worker processes replaced; reason: the hub gave it up, its exit code, or the signal that ended it.",
        "The log's line `process replaced`, and docs/operating.md#when-a-process-is-replaced, by reason.",
    ),
    Metric(
        "patrol_workers_ready",
        "gauge",
        (),
        "processes",
        "Worker processes that accept keyframes.",
        "Fewer than worker.count for minutes: the log says why they end.",
    ),
    Metric(
        "patrol_feeder_restarts_total",
        "counter",
        (_FEEDER_KIND, _PROCESS_END),
        "processes",
        "Feeder and demuxer processes replaced; reason as for workers.",
        "The log's line `process replaced`, and docs/operating.md#when-a-process-is-replaced, by reason.",
    ),
    Metric(
        "patrol_feeders_ready",
        "gauge",
        (_FEEDER_KIND,),
        "processes",
        "Feeder and demuxer processes that take orders.",
        "0: no camera of that kind is visited; the log's lines `process replaced` say why.",
    ),
    Metric(
        "patrol_process_resident_memory_bytes",
        "gauge",
        (Label("process", unknown_because="the configuration decides how many there are; each is shown once it runs"),),
        "bytes",
        "Resident memory of each process of the engine, read every 10 s; what processes share counts in each.",
        "One grows for hours: a leak; it is replaced at its ceiling ([processes]). All together near the "
        "machine's memory: fewer workers or feeders.",
    ),
    Metric(
        "patrol_demux_stuck_threads",
        "gauge",
        (),
        "threads",
        "Demuxing threads that were given up and have not returned.",
        "It grows: servers that hang; the demuxer is replaced by itself. `patrol cameras list --reason "
        "timeout_keyframe` names such cameras.",
    ),
    Metric(
        "patrol_rtsp_fallbacks_total",
        "counter",
        (Label("outcome", VISIT_OUTCOMES),),
        "visits",
        "RTSP visits retried through FFmpeg.",
        "Many keyframes: cameras that only FFmpeg understands; they cost more. Many failures: feed.rtsp_fallback "
        "= false saves the second try.",
    ),
    Metric(
        "patrol_certificate_remaining_seconds",
        "gauge",
        (),
        "seconds",
        "Time until the first of the certificates of serve.tls_cert_file and serve.metrics_tls_cert_file expires, "
        "negative after that; +Inf without TLS.",
        "Below two weeks: `patrol doctor` says which; put the new files in the place of the old ones, they are read "
        "within seconds.",
    ),
    Metric(
        "patrol_token_remaining_seconds",
        "gauge",
        (),
        "seconds",
        "Time until the first of the valid tokens expires; +Inf if none of them ever does.",
        "Below a week: `patrol token list` names it; make another for its owner, then revoke the old one.",
    ),
    Metric(
        "patrol_calls_refused_total",
        "counter",
        (Label("reason", REFUSED_REASONS),),
        "calls",
        "Calls refused to their callers; reason: no token, an unknown or ended one, its role, its region; "
        "not_in_region: the call names what its region does not have; rate_*: more calls a second than "
        "serve.*_calls_per_s_max allows. The audit log has who, and from where.",
        "Many: `patrol audit` shows who calls, from where: a client with an ended token, one that calls without a "
        "pause, or somebody who tries.",
    ),
    Metric(
        "patrol_watchers",
        "gauge",
        (),
        "callers",
        "Callers that watch verdicts.",
        "Nothing: for information.",
    ),
    Metric(
        "patrol_rpc_seconds",
        "histogram",
        (
            Label("method", unknown_because="every method with every status and bucket would be ten thousand series"),
            Label("code", unknown_because="a status is shown from the first call that ends with it"),
        ),
        "seconds",
        "gRPC calls by method and status.",
        "UNAVAILABLE or INTERNAL: the log. Slow: which method; page_size and read_mask of its callers.",
    ),
    *LISTENER_METRICS,
    *SCHEDULING_METRICS,
    *RECORD_METRICS,
    *VITAL_METRICS,
    *STORY_METRICS,
    *READING_METRICS,
)
