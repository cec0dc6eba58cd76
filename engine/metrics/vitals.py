"""Metrics of the engine's own processes and disks: their definitions, and what records them."""

from collections.abc import Mapping, Sequence, Set

from engine.metrics.labels import HOST, by_host
from engine.metrics.metric import OTHER, Label, Metric
from engine.metrics.prometheus import Series

PROCESS_KINDS = ("hub", "worker", "feeder", "demuxer", "reader", "web")
PROCESS_ENDS = (
    "recycled", "memory", "job_timeout", "too_costly", "silent", "stopped", "stuck", "not_ready", "hub_lost",
    "exit_0", "exit_1", "exit_2", "signal_6", "signal_7", "signal_9", "signal_11", "signal_15", OTHER,
)  # fmt: skip
"""Why a process was replaced: it asked for it; it grew beyond its ceiling; the hub gave it up (job_timeout, silent);
its picture spent its budget of CPU time (too_costly); the supervisor did (stopped, stuck, not_ready); the hub ended;
its exit code; the signal that ended it."""
NOT_READY_PARTS = (
    "serving", "hub_thread", "workers", "feeders", "demuxers", "database_writes", "database_file", "evidence", "disks",
)  # fmt: skip
CONFINED_KINDS = ("worker", "feeder", "demuxer", "reader")
CONFINEMENT_PARTS = ("privileges", "files", "system_calls")
_KIND = Label("kind", PROCESS_KINDS)
_PROCESS = Label("process", unknown_because="the configuration decides how many there are; each is shown once it runs")
_FOLDER = Label("folder", unknown_because="the disk of a database on a server is not known; each is shown once it is")

VITAL_METRICS = (
    Metric(
        "patrol_process_restarts_total",
        "counter",
        (_KIND, Label("reason", PROCESS_ENDS)),
        "processes",
        "Processes replaced since `patrol run` was started, the hub among them; reason: it asked for it (recycled), it "
        "grew beyond its ceiling (memory), the hub gave it up (job_timeout, silent), its picture spent its CPU time "
        "(too_costly), the supervisor did (stopped, stuck, not_ready), the hub ended (hub_lost), its exit code, or the "
        "signal that ended it.",
        "docs/operating.md#when-a-process-is-replaced has each reason, the log's line `process replaced` each case.",
    ),
    Metric(
        "patrol_heartbeat_age_seconds",
        "gauge",
        (_KIND,),
        "seconds",
        "How long ago the loop of a process had its last turn; of each kind, the longest.",
        "Above 4 s: the machine is overloaded, or swaps, or its disks do not answer.",
    ),
    Metric(
        "patrol_confinement",
        "gauge",
        (Label("kind", CONFINED_KINDS), Label("part", CONFINEMENT_PARTS)),
        "0 or 1",
        "1 while every process of a kind is confined: it gains no privileges (privileges), reads no files but those it "
        "needs (files), makes no system calls that it does not need (system_calls). 0: the kernel does not offer it, "
        "or `runtime.confine` is off, or no process of the kind runs.",
        "0: `patrol doctor` says which part this machine lacks; a newer kernel or container runtime has it.",
    ),
    Metric(
        "patrol_process_open_descriptors",
        "gauge",
        (_PROCESS,),
        "descriptors",
        "Files and connections that each process of the engine has open, read every 10 s.",
        "Near patrol_process_descriptors_max: raise LimitNOFILE (ulimit -n), then restart.",
    ),
    Metric(
        "patrol_process_descriptors_max",
        "gauge",
        (_PROCESS,),
        "descriptors",
        "How many files and connections each process may have open (RLIMIT_NOFILE); 0: no limit.",
        "Below what `patrol doctor` asks for: raise LimitNOFILE (ulimit -n), then restart.",
    ),
    Metric(
        "patrol_disk_free_bytes",
        "gauge",
        (_FOLDER,),
        "bytes",
        "What the engine may still write to the disk of a folder: database, evidence, quarantine.",
        "Little left: free space, or lower record.evidence_bytes_max and the days that are kept.",
    ),
    Metric(
        "patrol_disk_bytes",
        "gauge",
        (_FOLDER,),
        "bytes",
        "Size of the disk of the same folder.",
        "Nothing: for information.",
    ),
    Metric(
        "patrol_database_bytes",
        "gauge",
        (),
        "bytes",
        "Size of the database, with its write-ahead log.",
        "It grows without end: record.keep_verdicts_days, docs/store.md.",
    ),
    Metric(
        "patrol_shards",
        "gauge",
        (Label("state", ("running", "away")),),
        "shards",
        "Shards that have counties, by whether an engine has their lease; a front alone counts them.",
        "away for more than a minute: their cameras are not visited; `patrol cluster status` names them and says why.",
    ),
    Metric(
        "patrol_shard_lease_seconds",
        "gauge",
        (),
        "seconds",
        "How long the engine of a shard may still visit and write if its lease is not renewed; +Inf for an engine "
        "alone.",
        "It falls: the database does not answer, or answers late; at 0 the engine ends, and another takes the shard.",
    ),
    Metric(
        "patrol_writes_fenced_total",
        "counter",
        (),
        "transactions",
        "Transactions that were refused because another engine has the shard now. An engine alone has none.",
        "The engine was frozen or cut off, and has lost its shard; it ends itself. Look for what held it up.",
    ),
    Metric(
        "patrol_host_visits_granted",
        "gauge",
        (HOST,),
        "visits",
        "Visits at once that the engine's shard may make on a platform that other shards visit too; the platforms with "
        "most, all others as `other`.",
        "0 of a platform for minutes: its cameras there are not visited. `patrol cluster status` shows what each shard "
        "has; raise the cap of the platform (scheduler.host_visits_max), or run `patrol cluster assign` if cameras "
        "were added.",
    ),
    Metric(
        "patrol_not_ready",
        "gauge",
        (Label("part", NOT_READY_PARTS),),
        "0 or 1",
        "1 while this part keeps the engine from being ready; /readyz says the same in sentences.",
        "`/readyz` has the sentence; docs/runbook.md#patrolnotready has each part.",
    ),
)


class VitalsRecorder:
    """Records these metrics. Methods may be called from any thread."""

    def __init__(self, series: Series) -> None:
        self._series = series
        self._restarts: dict[tuple[str, str], int] = {}
        self._fenced = 0

    def restarts(self, tally: Sequence[tuple[str, str, int]]) -> None:
        """Set how many processes were replaced by kind and reason; numbers only grow."""
        for kind, reason, number in tally:
            more = number - self._restarts.get((kind, reason), 0)
            if more > 0:
                self._series.increase("patrol_process_restarts_total", kind, reason, by=more)
                self._restarts[kind, reason] = number

    def heartbeats(self, ages_s: Mapping[str, float]) -> None:
        """Set the age of the last heartbeat by kind; kinds that are left out count as 0."""
        self._series.replace("patrol_heartbeat_age_seconds", {(kind,): age_s for kind, age_s in ages_s.items()})

    def confinement(self, in_force: Mapping[tuple[str, str], bool]) -> None:
        """Set which parts of the confinement are in force, by kind of process and part; others count as not."""
        self._series.replace("patrol_confinement", {key: int(yes) for key, yes in in_force.items()})

    def descriptors(self, opened: Mapping[str, int], most: Mapping[str, int]) -> None:
        """Set the open descriptors of each process, and how many it may have, by its name."""
        self._series.replace("patrol_process_open_descriptors", {(name,): number for name, number in opened.items()})
        self._series.replace("patrol_process_descriptors_max", {(name,): number for name, number in most.items()})

    def disks(self, free: Mapping[str, int], sizes: Mapping[str, int]) -> None:
        """Set the free bytes and the size of the disk of each folder."""
        self._series.replace("patrol_disk_free_bytes", {(folder,): size for folder, size in free.items()})
        self._series.replace("patrol_disk_bytes", {(folder,): size for folder, size in sizes.items()})

    def shard(self, lease_left_s: float, writes_fenced: int, host_visits: Mapping[str, int]) -> None:
        """Set how long the lease of the engine's shard lasts, how many of its writes were refused so far, and how many
        visits it is granted on shared platforms."""
        self._series.set("patrol_shard_lease_seconds", lease_left_s)
        self._series.increase("patrol_writes_fenced_total", by=writes_fenced - self._fenced)
        self._fenced = writes_fenced
        self._series.replace("patrol_host_visits_granted", {(OTHER,): 0.0} | by_host(host_visits))

    def shards(self, running: int, away: int) -> None:
        """Set how many shards an engine runs, and how many none."""
        self._series.set("patrol_shards", running, "running")
        self._series.set("patrol_shards", away, "away")

    def database(self, size: int) -> None:
        """Set the bytes of the database."""
        self._series.set("patrol_database_bytes", size)

    def not_ready(self, parts: Set[str]) -> None:
        """Set which of NOT_READY_PARTS keep the engine from being ready."""
        self._series.replace("patrol_not_ready", {(part,): 1 for part in parts})
