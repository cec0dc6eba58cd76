"""Judges the machine: open files, memory, clock, confinement, environment. Pure: `examine` measures."""

from collections.abc import Iterator, Mapping, Sequence

from engine.clock import NS_PER_S
from engine.config.schema import Settings
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning

_OWN_FILES = 256
"""Descriptors that a process uses besides its visits and callers: libraries, database, sockets between processes."""
_FILES_A_VISIT = 3
"""A visit over UDP has a connection and two ports."""
_WORKER_MB = 300
_OTHERS_MB = 700
"""Hub, feeder, demuxer and gateway together, with 10,000 cameras; docs/limits.md."""
_CLOCK_SLACK_NS = 60 * NS_PER_S
_YEAR_2026_NS = 1_767_225_600 * NS_PER_S
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def files_needed(settings: Settings) -> int:
    """Return how many descriptors the process that needs most may have open."""
    feed, serve, web = settings.feed, settings.serve, settings.web
    visits = min(settings.scheduler.visits_max, feed.visits_per_feeder_max)
    per_visit = _FILES_A_VISIT if feed.rtsp_transport == "udp" or feed.rtsp_fallback else 1
    return _OWN_FILES + max(visits * per_visit, serve.watchers_max, web.connections_max if web.enabled else 0)


def open_files(limit_soft: int, limit_hard: int, needed: int) -> Diagnosis:
    """Judge the limit on open files. The engine raises the soft limit as far as the hard one allows."""
    if limit_hard < needed:
        return fault(
            "open files",
            f"at most {limit_hard:,} (ulimit -Hn), {needed:,} may be needed at once",
            "raise it (LimitNOFILE= of the systemd unit, --ulimit of the container, limits.conf), or lower "
            "scheduler.visits_max",
        )
    return ok("open files", f"{limit_soft:,}, at most {limit_hard:,}; {needed:,} may be needed")


def memory(total_mb: int, workers: int) -> Diagnosis:
    """Judge whether the processes fit into the machine's memory, or the container's."""
    needed_mb = workers * _WORKER_MB + _OTHERS_MB
    found = f"{total_mb:,} MB; {workers} workers and the other processes need about {needed_mb:,} MB"
    if total_mb < needed_mb:
        return warning("memory", found, "lower worker.count, or give the machine or the container more")
    return ok("memory", found)


def cores(count: int, workers: int) -> Diagnosis:
    """Judge the number of workers against the cores that this process may use."""
    found = f"{count} cores, {workers} workers"
    if workers > count:
        return warning("cores", found, "set worker.count to 0 (one a core), or give the container more cores")
    return ok("cores", found)


def clock(now_wall_ns: int, newest_wall_ns: int, synchronised: bool | None) -> Diagnosis:
    """Judge the clock. `newest_wall_ns`: time of the newest verdict, 0 if there is none. `synchronised`: what the
    kernel says; None if it does not say."""
    ahead_ns = newest_wall_ns - now_wall_ns
    if now_wall_ns < _YEAR_2026_NS:
        return fault("clock", "is before 2026", "set the time, and start chrony or systemd-timesyncd")
    if ahead_ns > _CLOCK_SLACK_NS:
        return fault(
            "clock",
            f"is {ahead_ns // NS_PER_S:,} s behind the newest verdict in the database",
            "start chrony or systemd-timesyncd; if the clock is right now, those verdicts were written while it was "
            "wrong, and new ones count only after that time",
        )
    if synchronised is False:
        return warning(
            "clock",
            "the kernel says that nothing keeps it right",
            "start chrony or systemd-timesyncd: deadlines of findings and KPIs by day depend on it",
        )
    return ok("clock", "synchronised" if synchronised else "plausible")


def confinement(missing: Sequence[str], mode: str) -> Diagnosis:
    """Judge whether the kernel can confine what reads from cameras. `missing`: what it does not offer; `mode`:
    runtime.confine."""
    topic = "confinement"
    if mode == "off":
        return warning(topic, "runtime.confine is off", "set it to auto, so that a hostile camera reaches nothing")
    if not missing:
        return ok(topic, "the kernel has Landlock and seccomp; what reads from cameras is confined")
    found, remedy = (
        f"the kernel offers no {'; no '.join(missing)}",
        "use a kernel that does (docs/operating.md#confinement)",
    )
    if mode == "required":
        return fault(topic, f"{found}; runtime.confine is required", f"{remedy}, or set runtime.confine to auto")
    return warning(topic, found, remedy)


def proxies(environment: Mapping[str, str]) -> Iterator[Diagnosis]:
    """Warn of proxies in the environment."""
    found = sorted(name for name in environment if name.lower() in _PROXIES and environment[name])
    if found:
        yield warning(
            "environment",
            f"{', '.join(found)} {'is' if len(found) == 1 else 'are'} set",
            "unset it for the engine: cameras and webhooks are not reached through it",
        )
