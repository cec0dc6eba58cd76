"""Every setting of the engine, a section for each stage. `patrol config show` prints this table."""

from typing import Literal

from engine.config.judge import JudgeSettings
from engine.config.ledger import LedgerSettings
from engine.config.notices import NoticesSettings
from engine.config.serve import ServeSettings
from engine.config.setting import Section, key
from engine.model.camera import KeyPoint
from engine.model.spot_check import SPOT_CHECK_SITES_MAX


class FeedSettings(Section):
    """How cameras are visited."""

    schemes: tuple[str, ...] = key(
        ("rtsp", "rtsps", "rtmp", "http", "https"),
        "URL schemes a camera may have. Add `file` only where the registry is yours: it reads local files.",
    )
    demux_protocols: tuple[str, ...] = key(
        ("tcp", "tls", "http", "https", "rtmp", "hls", "httpproxy", "crypto", "udp", "rtp"),
        "FFmpeg protocols that demuxing may use, nested ones included (an HLS playlist cannot name a local file).",
        hot=False,
    )
    deadline_s: float = key(12.0, "Hard end of a visit, enforced outside FFmpeg.", unit="s", ge=0.5, le=120)
    connect_timeout_s: float = key(5.0, "Until the TCP connection stands.", unit="s", ge=0.1, le=60)
    rtsp_transport: Literal["tcp", "udp"] = key("tcp", "RTP interleaved in the RTSP connection, or over UDP.")
    rtsp_fallback: bool = key(
        False, "Visit once more through FFmpeg when our RTSP client ends in protocol_error or unsupported_codec."
    )
    redirects_max: int = key(3, "RTSP redirects followed in one visit.", ge=0, le=10)
    tls_verify: bool = key(False, "Check the certificates of RTSPS and HTTPS cameras; few cameras have valid ones.")
    visits_per_feeder_max: int = key(1000, "Visits in flight in one feeder process.", ge=1, le=10_000, hot=False)
    feeders: int = key(1, "Feeder processes (RTSP, asyncio).", ge=1, le=64, hot=False)
    demuxers: int = key(1, "Demuxer processes (all other protocols, PyAV).", ge=0, le=64, hot=False)
    demux_threads: int = key(16, "Visits in flight in one demuxer process.", ge=1, le=256, hot=False)
    demux_stuck_max: int = key(4, "Stuck threads after which a demuxer process is recycled.", ge=1, le=64, hot=False)


class IntakeSettings(Section):
    """Where keyframes arrive and wait for a worker."""

    listen: str = key("tcp://127.0.0.1:7701", "ZeroMQ PULL address for gateways; empty: no gateways.", hot=False)
    curve_secret_file: str = key(
        "", "CURVE server key pair (as written by zmq.auth.create_certificates); needed to listen in public.", hot=False
    )
    curve_clients_dir: str = key("", "Directory of the public keys of gateways that may push.", hot=False)
    queue_frames_max: int = key(
        2048,
        "Keyframes that wait for a worker; half of it is kept for visits in flight, so no more than that are.",
        unit="frames",
        ge=1,
        le=100_000,
    )
    queue_bytes_max: int = key(268_435_456, "Bytes that wait for a worker.", unit="B", ge=8_388_608, le=17_179_869_184)
    payload_bytes_max: int = key(8_388_608, "Largest keyframe taken.", unit="B", ge=65_536, le=8_388_608, hot=False)
    stale_after_s: float = key(30.0, "A keyframe that waited longer is dropped.", unit="s", ge=1, le=3600)


class WorkerSettings(Section):
    """Decoding and scoring processes."""

    count: int = key(0, "Worker processes; 0: one a core.", ge=0, le=512, hot=False)
    credit: int = key(2, "Keyframes handed to a worker ahead of its results.", unit="frames", ge=1, le=16, hot=False)
    job_timeout_s: float = key(20.0, "A worker that holds one frame longer is replaced.", unit="s", ge=1, le=600)


class SchedulerSettings(Section):
    """Who is visited when; docs/scheduler.md has the model and the formulas."""

    key_period_s: float = key(
        900.0, "A key point is seen once in this time while its kitchen works.", unit="s", ge=1, le=86_400
    )
    ordinary_period_s: float = key(
        1800.0, "Every other camera is seen once in this time while its kitchen works.", unit="s", ge=1, le=86_400
    )
    suspicious_period_s: float = key(
        300.0,
        "A camera whose last picture disagrees with what is announced, once the quick looks are used up.",
        unit="s",
        ge=1,
        le=86_400,
    )
    offhours_period_s: float = key(
        14_400.0, "Every camera is seen once in this time while its kitchen rests; 0: not at all.", unit="s", ge=0,
        le=604_800,
    )  # fmt: skip
    key_points: tuple[KeyPoint, ...] = key(
        (
            KeyPoint.ROUGH_PROCESSING,
            KeyPoint.CUTTING,
            KeyPoint.COOKING,
            KeyPoint.SPECIAL_ROOM,
            KeyPoint.SERVING,
            KeyPoint.DISH_WASHING,
        ),
        "Kinds of place that are key points; cameras with `required` set are key points as well.",
    )
    key_weight: float = key(8.0, "Share of contested slots that key points get, against the others'.", gt=0, le=1000)
    suspicious_weight: float = key(4.0, "The same for suspicious cameras.", gt=0, le=1000)
    ordinary_weight: float = key(2.0, "The same for ordinary cameras.", gt=0, le=1000)
    offline_weight: float = key(1.0, "The same for cameras that failed last time.", gt=0, le=1000)
    jitter: float = key(0.1, "Share of the period by which a visit may come later, drawn anew each time.", ge=0, le=0.5)
    hours: str = key(
        "",
        "When kitchens work for which neither calendar nor registry says so; like mon-fri 05:30-19:00; empty: always.",
        max_length=64,
    )  # fmt: skip
    calendar_file: str = key("", "TOML file of holidays, terms and single canteens' hours; empty: none.")
    confirm_spacing_s: float = key(
        30.0, "A picture that disagrees with what is announced is looked at again after this.", unit="s", ge=1, le=3600
    )
    confirm_looks_max: int = key(4, "Such quick looks in a row, at most.", unit="visits", ge=0, le=100)
    visits_max: int = key(1000, "Visits in flight in all.", ge=1, le=100_000)
    visits_per_uplink_max: int = key(1, "Visits in flight on one recorder.", ge=1, le=1000)
    visits_per_host_max: int = key(64, "Visits in flight on one platform host.", ge=1, le=100_000)
    host_visits_max: dict[str, int] = key({}, "The same for single hosts, by name.", max_length=10_000)
    starts_per_s_max: float = key(400.0, "New visits a second in all.", unit="1/s", ge=0.1, le=10_000)
    host_starts_per_s_max: float = key(
        50.0, "New connections a second to one platform host.", unit="1/s", ge=0.01, le=10_000
    )
    order_timeout_s: float = key(
        20.0,
        "An order that no feeder answers in this time is given up; longer than feed.deadline_s.",
        unit="s",
        ge=1,
        le=300,
    )
    backoff_stream_first_s: float = key(
        30.0,
        "First wait after a stream that fails (timeout_keyframe, protocol_error, damaged); doubles each time.",
        unit="s",
        ge=1,
        le=3600,
    )
    backoff_connect_first_s: float = key(
        60.0, "The same where no connection comes about (refused, dns, unreachable, timeout_connect).", unit="s", ge=1,
        le=3600,
    )  # fmt: skip
    backoff_lasting_first_s: float = key(
        300.0, "The same for what people must mend (unauthorized, not_found, no_video, unsupported_codec).", unit="s",
        ge=1, le=3600,
    )  # fmt: skip
    backoff_max_s: float = key(1800.0, "Longest wait after failures.", unit="s", ge=1, le=86_400)
    backoff_periods_max: float = key(1.5, "Longest wait after failures, in periods of the camera.", ge=1, le=100)
    outage_cameras_min: int = key(
        8,
        "Different cameras of one host that fail in a row, none between them answering, make an outage.",
        ge=2,
        le=1000,
    )
    outage_probe_s: float = key(
        15.0, "In an outage one camera of the host is visited after this; doubles each time.", unit="s", ge=1, le=3600
    )
    outage_probe_max_s: float = key(120.0, "Longest wait between two probes.", unit="s", ge=1, le=3600)
    stretch_max: float = key(
        8.0, "Periods grow by this factor at most when the machine cannot keep them; key points last.", ge=1, le=100
    )
    spot_check_sites: int = key(
        2000,
        "Canteens that a spot check draws unless its call says otherwise.",
        unit="canteens",
        ge=1,
        le=SPOT_CHECK_SITES_MAX,
    )
    spot_findings_weight: float = key(
        2.0, "A spot check draws canteens with earlier findings so many times as often as the others.", ge=1, le=100
    )
    seed: int = key(0, "Seed of the phases and the jitter.", ge=0, le=2**32 - 1, hot=False)


class RecordSettings(Section):
    """What is kept, and where."""

    url: str = key("sqlite:///var/patrol.db", "SQLAlchemy URL of the database.", hot=False)
    evidence_dir: str = key("var/evidence", "Where keyframes are kept: latest ones and evidence.", hot=False)
    evidence: Literal["all", "faults", "none"] = key(
        "all", "Keyframes kept: of every camera, of those not ok (no baseline beside a fault then), or none at all."
    )
    evidence_bytes_max: int = key(
        4_294_967_296, "Their size in all; docs/evidence.md has what goes first.", unit="B", ge=0, le=2**44, hot=False
    )
    measurements: bool = key(True, "Keep each camera's latest measurement, some 6 KB, for patrol rejudge.")
    quarantine_dir: str = key("var/quarantine", "Where keyframes that killed a worker twice go.", hot=False)
    quarantine_files_max: int = key(100, "Keyframes kept in quarantine.", unit="files", ge=0, le=10_000, hot=False)
    kpi_days: int = key(1100, "KPIs are kept for so long.", unit="days", ge=32, le=36_500)
    batch_rows_max: int = key(500, "Rows written in one transaction.", unit="rows", ge=1, le=10_000)
    batch_wait_s: float = key(0.2, "Longest wait before a row is written.", unit="s", ge=0.01, le=10)
    queue_records_max: int = key(
        50_000, "Verdicts that wait while the database is away; beyond it the oldest go.", unit="rows", ge=100, le=10**6
    )
    queue_bytes_max: int = key(268_435_456, "Memory that they may take, about.", unit="B", ge=1_048_576, le=2**36)
    keep_verdicts_days: float = key(7, "How long every verdict is kept.", unit="d", ge=0.01, le=3650)
    keep_hourly_days: float = key(
        31, "How long each camera's hours are kept: counts and scores.", unit="d", ge=1, le=3650
    )
    keep_daily_days: float = key(731, "How long each camera's days are kept.", unit="d", ge=1, le=36_500)


class LogSettings(Section):
    """What is logged, and how."""

    level: Literal["debug", "info", "warning", "error"] = key("info", "Least level written.", hot=False)
    format: Literal["auto", "console", "json"] = key("auto", "auto: console on a terminal, else json.", hot=False)


class ReloadSettings(Section):
    """How a changed file comes into force; SIGHUP and the API always do."""

    watch_s: float = key(
        0.0, "Look every so often whether the file or its calendar has changed; 0: never.", unit="s", ge=0, le=3600
    )


class Settings(Section):
    """The whole file."""

    feed: FeedSettings = FeedSettings()
    intake: IntakeSettings = IntakeSettings()
    worker: WorkerSettings = WorkerSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    judge: JudgeSettings = JudgeSettings()
    ledger: LedgerSettings = LedgerSettings()
    record: RecordSettings = RecordSettings()
    serve: ServeSettings = ServeSettings()
    notices: NoticesSettings = NoticesSettings()
    log: LogSettings = LogSettings()
    reload: ReloadSettings = ReloadSettings()
