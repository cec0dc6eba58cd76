"""All settings of the engine, one section per subject. `patrol config show` prints them."""

from typing import ClassVar, Literal

from engine.config.cluster import ClusterSettings
from engine.config.feed import FeedSettings
from engine.config.front import FrontSettings
from engine.config.intake import IntakeSettings
from engine.config.judge import JudgeSettings
from engine.config.ledger import LedgerSettings
from engine.config.notices import NoticesSettings
from engine.config.processes import ProcessSettings
from engine.config.reader import ReaderSettings
from engine.config.runtime import RuntimeSettings
from engine.config.serve import ServeSettings
from engine.config.setting import Section, key
from engine.config.trace import TraceSettings
from engine.config.web import WebSettings
from engine.model.camera import KeyPoint
from engine.model.schedule import StreamPolicy
from engine.model.spot_check import SPOT_CHECK_SITES_MAX


class WorkerSettings(Section):
    """The processes that decode and measure."""

    count: int = key(0, "Number of worker processes; 0: one per core.", ge=0, le=512, hot=False, file_only=True)
    credit: int = key(
        8,
        "Keyframes handed to a worker ahead of its results; from the third on only while they are small, 256 KiB in "
        "all.",
        unit="frames",
        ge=1,
        le=16,
        hot=False,
        file_only=True,
    )
    spare: bool = key(
        True,
        "Keep a further worker loaded that takes the place of one that is lost, in a tenth of the time that a start "
        "takes. It costs about 200 MB of memory, and no CPU time while it waits.",
        hot=False,
        file_only=True,
    )
    job_timeout_s: float = key(
        20.0, "A worker that takes longer than this for one keyframe is replaced.", unit="s", ge=1, le=600
    )
    picture_cpu_s_max: float = key(
        1.0,
        "CPU time that a picture of 16 megapixels or more may take, smaller ones down to 0.4 of it; a worker that "
        "spends more is replaced, and the verdict is `unknown`, `too_costly`. Raise it on slow cores.",
        unit="s",
        ge=0.2,
        le=60,
        hot=False,
    )


class SchedulerSettings(Section):
    """When which camera is visited; docs/scheduler.md has the model and the formulas."""

    key_period_s: float = key(
        900.0, "Each key point is visited once in this time while its kitchen works.", unit="s", ge=1, le=86_400
    )
    ordinary_period_s: float = key(
        1800.0, "Every other camera is visited once in this time while its kitchen works.", unit="s", ge=1, le=86_400
    )
    suspicious_period_s: float = key(
        300.0,
        "A camera whose last picture disagrees with its announced state is visited once in this time, after the "
        "quick visits (`confirm_looks_max`) are used up.",
        unit="s",
        ge=1,
        le=86_400,
    )
    offhours_period_s: float = key(
        14_400.0,
        "Every camera is visited once in this time while its kitchen rests; 0: not at all.",
        unit="s",
        ge=0,
        le=604_800,
    )
    key_points: tuple[KeyPoint, ...] = key(
        (
            KeyPoint.ROUGH_PROCESSING,
            KeyPoint.CUTTING,
            KeyPoint.COOKING,
            KeyPoint.SPECIAL_ROOM,
            KeyPoint.SERVING,
            KeyPoint.DISH_WASHING,
        ),
        "Kinds of place that are key points. A camera with `required` set is a key point as well.",
    )
    key_weight: float = key(
        8.0, "Weight of key points when slots are scarce, relative to the other weights.", gt=0, le=1000
    )
    suspicious_weight: float = key(4.0, "Weight of suspicious cameras when slots are scarce.", gt=0, le=1000)
    ordinary_weight: float = key(2.0, "Weight of ordinary cameras when slots are scarce.", gt=0, le=1000)
    offline_weight: float = key(1.0, "Weight of cameras whose last visit failed when slots are scarce.", gt=0, le=1000)
    jitter: float = key(
        0.1, "Share of the period by which a visit may come later; drawn anew for each visit.", ge=0, le=0.5
    )
    hours: str = key(
        "",
        "Working hours of kitchens for which neither calendar nor registry gives any, like mon-fri 05:30-19:00; "
        "empty: always.",
        max_length=64,
    )
    calendar_file: str = key(
        "", "TOML file with holidays, terms and the hours of single canteens; empty: none.", file_only=True
    )
    confirm_spacing_s: float = key(
        30.0,
        "A camera whose picture disagrees with its announced state is visited again after this time.",
        unit="s",
        ge=1,
        le=3600,
    )
    confirm_looks_max: int = key(4, "Most such quick visits in a row.", unit="visits", ge=0, le=100)
    visits_max: int = key(1000, "Most visits in flight in all.", ge=1, le=100_000)
    visits_per_uplink_max: int = key(1, "Most visits in flight on one recorder.", ge=1, le=1000)
    visits_per_host_max: int = key(64, "Most visits in flight on one platform host.", ge=1, le=100_000)
    host_visits_max: dict[str, int] = key(
        {},
        "Most visits in flight on single platform hosts, by name, in place of `visits_per_host_max`.",
        max_length=10_000,
    )
    starts_per_s_max: float = key(400.0, "Most visits begun per second in all.", unit="1/s", ge=0.1, le=10_000)
    host_starts_per_s_max: float = key(
        50.0, "Most connections opened per second to one platform host.", unit="1/s", ge=0.01, le=10_000
    )
    order_timeout_s: float = key(
        20.0,
        "An order that no feeder answers within this time is given up; must be longer than feed.deadline_s.",
        unit="s",
        ge=1,
        le=300,
    )
    backoff_stream_first_s: float = key(
        30.0,
        "First wait after a stream failed (timeout_keyframe, protocol_error, damaged, internal); it doubles with each "
        "failure.",
        unit="s",
        ge=1,
        le=3600,
    )
    backoff_connect_first_s: float = key(
        60.0,
        "First wait after no connection was made (refused, dns, unreachable, timeout_connect); it doubles with "
        "each failure.",
        unit="s",
        ge=1,
        le=3600,
    )
    backoff_lasting_first_s: float = key(
        300.0,
        "First wait after a failure that people must mend (unauthorized, not_found, no_video, unsupported_codec, "
        "source_refused, redirect_refused) or a flood; it doubles with each failure.",
        unit="s",
        ge=1,
        le=3600,
    )
    backoff_max_s: float = key(1800.0, "Longest wait after failures.", unit="s", ge=1, le=86_400)
    backoff_periods_max: float = key(1.5, "Longest wait after failures, in periods of the camera.", ge=1, le=100)
    outage_cameras_min: int = key(
        8,
        "A host is in an outage after this many of its cameras failed in a row, with no success between them.",
        ge=2,
        le=1000,
    )
    outage_probe_s: float = key(
        15.0,
        "During an outage, one camera of the host is visited after this time; it doubles with each failure.",
        unit="s",
        ge=1,
        le=3600,
    )
    outage_probe_max_s: float = key(120.0, "Longest wait between two such visits.", unit="s", ge=1, le=3600)
    stretch_max: float = key(
        8.0,
        "Greatest factor by which periods are lengthened if the machine cannot keep them; key points come last.",
        ge=1,
        le=100,
    )
    spot_check_sites: int = key(
        2000,
        "Canteens that a spot check draws unless its call gives a number.",
        unit="canteens",
        ge=1,
        le=SPOT_CHECK_SITES_MAX,
    )
    spot_findings_weight: float = key(
        2.0, "A spot check draws canteens with earlier findings this many times as often as the others.", ge=1, le=100
    )
    streams: dict[Literal["key_point", "ordinary"], StreamPolicy] = key(
        {},
        "Which stream is visited of cameras that have a sub-stream, by class, `key_point` and `ordinary`; a class that "
        "is left out: `main`. `sub`: the sub-stream; the main stream until its baseline is learned, and whenever "
        "something is to be proved, as before each announcement. `sub_with_main`: the same, and one visit in "
        "`main_every` on the main stream.",
    )
    main_every: int = key(
        8, "With `sub_with_main`, one visit in so many is on the main stream.", unit="visits", ge=2, le=250
    )
    seed: int = key(0, "Seed for the phases and the jitter of visits.", ge=0, le=2**32 - 1, hot=False)


class RecordSettings(Section):
    """What is stored, where, and for how long."""

    all_file_only: ClassVar[bool] = True

    url: str = key("sqlite:///var/patrol.db", "SQLAlchemy URL of the database.", hot=False)
    key_file: str = key(
        "",
        "File with the key that seals the passwords of cameras in the database; it is made if there is none. Empty: "
        "beside the SQLite file (`patrol.db.key`), or with PostgreSQL beside `evidence_dir` (`patrol.key`).",
        hot=False,
    )
    key_command: tuple[str, ...] = key(
        (),
        "Program with its arguments that prints the key, such as a KMS client, in place of `key_file`: 32 bytes in "
        "base64, one key a line, the first one seals.",
        max_length=64,
        hot=False,
    )
    evidence_dir: str = key(
        "var/evidence", "Directory for keyframes: the latest of each camera, and evidence.", hot=False
    )
    evidence: Literal["all", "faults", "none"] = key(
        "all",
        "Keyframes kept: of all cameras, of those that are not ok (a fault then has no baseline picture), or none.",
    )
    evidence_bytes_max: int = key(
        4_294_967_296,
        "Most bytes of keyframes kept; docs/evidence.md says what is deleted first. After a smaller value is read, the "
        "excess is deleted within seconds.",
        unit="B",
        ge=0,
        le=2**44,
    )
    archive_url: str = key(
        "",
        "Where a copy of each exhibit and photograph is kept, which outlives this machine: `s3://BUCKET/PREFIX`, or "
        "`file:///FOLDER` of a folder that machines share; empty: nowhere. Credentials for S3 are read as AWS's "
        "programs do: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or their files.",
        pattern=r"^$|^(file:///|s3://)[^\s]+$",
        hot=False,
    )
    archive_endpoint: str = key(
        "",
        "URL of a store that speaks S3 and is not AWS's.",
        pattern=r"^$|^https?://[^\s@]+$",
        hot=False,
    )
    archive_bytes_max: int = key(
        107_374_182_400,
        "Most bytes in the archive, of all shards together. Beyond it the oldest is deleted that no open finding "
        "cites.",
        unit="B",
        ge=0,
        le=2**50,
    )
    measurements: bool = key(True, "Keep the latest measurement of each camera, some 6 KB, for patrol rejudge.")
    quarantine_dir: str = key(
        "var/quarantine",
        "Directory for keyframes that killed a worker twice, or cost too much CPU time twice in a row.",
        hot=False,
    )
    quarantine_files_max: int = key(100, "Most keyframes kept in quarantine.", unit="files", ge=0, le=10_000, hot=False)
    kpi_days: int = key(1100, "How long KPIs are kept.", unit="days", ge=32, le=36_500)
    kpi_streams: Literal["main", "all"] = key(
        "main",
        "Visits that count for clarity compliance: on the main stream, or on sub-streams (`scheduler.streams`) too.",
    )
    kpi_hours_days: int = key(40, "How long KPIs by the hour are kept.", unit="days", ge=2, le=1100)
    batch_rows_max: int = key(500, "Most rows written in one transaction.", unit="rows", ge=1, le=10_000)
    batch_wait_s: float = key(0.2, "Longest time that a row waits before it is written.", unit="s", ge=0.01, le=10)
    queue_records_max: int = key(
        50_000,
        "Most verdicts that wait while the database is away; beyond it the oldest are dropped.",
        unit="rows",
        ge=100,
        le=10**6,
    )
    queue_bytes_max: int = key(
        268_435_456, "Most memory that waiting verdicts may take, approximately.", unit="B", ge=1_048_576, le=2**36
    )
    keep_verdicts_days: float = key(7, "How long every verdict is kept.", unit="d", ge=0.01, le=3650)
    keep_hourly_days: float = key(
        31, "How long the hourly counts and scores of each camera are kept.", unit="d", ge=1, le=3650
    )
    keep_daily_days: float = key(
        731, "How long the daily counts and scores of each camera are kept.", unit="d", ge=1, le=36_500
    )


class LogSettings(Section):
    """What is logged, and in which format."""

    level: Literal["debug", "info", "warning", "error"] = key("info", "Lowest level that is logged.", hot=False)
    format: Literal["auto", "console", "json"] = key(
        "auto", "Format of the log; auto: console on a terminal, otherwise json.", hot=False
    )


class ReloadSettings(Section):
    """How a changed file is noticed; SIGHUP and the API reload it in any case."""

    watch_s: float = key(
        0.0, "Interval at which the file and its calendar are checked for changes; 0: never.", unit="s", ge=0, le=3600
    )


class Settings(Section):
    """The whole configuration file."""

    feed: FeedSettings = FeedSettings()
    intake: IntakeSettings = IntakeSettings()
    worker: WorkerSettings = WorkerSettings()
    reader: ReaderSettings = ReaderSettings()
    scheduler: SchedulerSettings = SchedulerSettings()
    judge: JudgeSettings = JudgeSettings()
    ledger: LedgerSettings = LedgerSettings()
    record: RecordSettings = RecordSettings()
    serve: ServeSettings = ServeSettings()
    web: WebSettings = WebSettings()
    trace: TraceSettings = TraceSettings()
    notices: NoticesSettings = NoticesSettings()
    processes: ProcessSettings = ProcessSettings()
    runtime: RuntimeSettings = RuntimeSettings()
    cluster: ClusterSettings = ClusterSettings()
    front: FrontSettings = FrontSettings()
    log: LogSettings = LogSettings()
    reload: ReloadSettings = ReloadSettings()
