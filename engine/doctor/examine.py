"""Runs all examinations in order, and goes on where one of them breaks. The doctor's door to the machine."""

import ctypes
import os
import resource
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from engine.clock import wall_ns
from engine.config import Settings, load
from engine.config.calendar import Calendar, load_calendar
from engine.config.schema import RecordSettings
from engine.doctor import archive, cameras, certificates, database, decoder, disks, listeners, machine, reader, running
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning
from engine.errors import ConfigError, PatrolError
from engine.model.camera import Camera
from engine.redact import redact
from engine.runtime.confinement import missing
from engine.storage.db.passwords.keys import source_of

_MB = 1 << 20
_TIME_ERROR = 5
"""What adjtimex(2) returns while nothing keeps the clock right."""


@dataclass(frozen=True, slots=True)
class Options:
    """`sample`: cameras to connect to; 0: none. `timeout_s`: the longest wait for each."""

    sample: int = 20
    timeout_s: float = 3.0
    seed: int = 0


def examine(config: Path | None, options: Options) -> Iterator[Diagnosis]:
    """Examine everything, in the order in which a start would stumble."""
    for diagnosis in _all(config, options):
        yield Diagnosis(diagnosis.topic, diagnosis.level, redact(diagnosis.found), redact(diagnosis.remedy))


def _all(config: Path | None, options: Options) -> Iterator[Diagnosis]:
    try:
        settings = load(config) if config is not None else Settings()
        calendar = load_calendar(settings.scheduler.calendar_file)
        file = database.file_of(settings.record.url)
    except ConfigError as error:
        yield fault("configuration", str(error), "correct the file; `patrol config check FILE` checks it alone")
        return
    yield ok("configuration", "the defaults" if config is None else f"{config}: good")
    answer, locked = running.readiness(settings.serve), database.is_locked(file)
    yield from _guarded("engine", lambda: running.examine(answer, locked=locked))
    yield from _guarded("database", lambda: [database.examine_schema(settings.record.url)])
    held = _contents(settings.record)
    now = wall_ns()
    valid = sum(token.is_valid(now) for token in held.tokens)
    runs = answer is not None or locked
    examinations: dict[str, Callable[[], Iterable[Diagnosis]]] = {
        "registry": lambda: [database.registry(held)],
        "token": lambda: database.tokens(held.tokens, now),
        "certificate": lambda: certificates.examine(settings, now),
        "listeners": lambda: listeners.examine(settings, engine_runs=runs, tokens=valid),
        "folders": lambda: disks.examine(settings, file),
        "archive": lambda: archive.examine(settings.record),
        "machine": lambda: _machine(settings, held.newest_wall_ns, now),
        "decoder": decoder.examine,
        "reader": lambda: [reader.examine(settings.reader)],
        "capacity": lambda: _capacity(settings, calendar, held.cameras, now),
        "cameras": lambda: cameras.examine(held.cameras, options.sample, options.timeout_s, options.seed),
    }
    for topic, examination in examinations.items():
        yield from _guarded(topic, examination)


def _guarded(topic: str, examination: Callable[[], Iterable[Diagnosis]]) -> Iterator[Diagnosis]:
    """Run one examination; if it breaks, say so, so that the others still help."""
    try:
        yield from examination()
    except (PatrolError, OSError, ValueError) as error:
        yield fault(topic, f"could not be examined: {error}", "the message says what is in the way")


def _contents(record: RecordSettings) -> database.Contents:
    try:
        return database.contents(record.url, source_of(record))
    except PatrolError:
        return database.Contents()  # what is wrong is said by the examination of the database


def _machine(settings: Settings, newest_wall_ns: int, now: int) -> Iterator[Diagnosis]:
    count = len(os.sched_getaffinity(0))
    workers = settings.worker.count or count
    yield machine.clock(now, newest_wall_ns, _synchronised())
    yield machine.open_files(*resource.getrlimit(resource.RLIMIT_NOFILE), machine.files_needed(settings))
    yield machine.memory(_memory_mb(), workers)
    yield machine.cores(count, workers)
    yield machine.confinement(missing(), settings.runtime.confine)
    yield from machine.proxies(os.environ)


def _capacity(settings: Settings, calendar: Calendar, known: Iterable[Camera], now: int) -> Iterator[Diagnosis]:
    from engine.hub.visiting.camera_plan import plan_of
    from engine.scheduler import capacity_warnings
    from engine.scheduler.core import Scheduler
    from engine.scheduler.events import CamerasUpserted

    scheduler = Scheduler(settings.scheduler, calendar)
    scheduler.handle(CamerasUpserted([plan_of(camera) for camera in known]), 0)
    sentences = capacity_warnings.warnings(scheduler, settings, calendar, len(os.sched_getaffinity(0)), now)
    for sentence in sentences:
        found, _, remedy = sentence.rpartition("; ")
        yield warning("capacity", found or sentence, remedy if found else "docs/scheduler.md")
    if not sentences:
        yield ok("capacity", "caps and cores can keep the periods")


def _memory_mb() -> int:
    """Return the memory of the machine, or of the container if that is less."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text(encoding="ascii").strip()
    except OSError:
        limit = "max"
    return min(total, int(limit) if limit.isdecimal() else total) // _MB


def _synchronised() -> bool | None:
    """Whether the kernel says that something keeps the clock right; None if it does not say."""
    buffer = ctypes.create_string_buffer(512)  # struct timex; all zero: it changes nothing
    try:
        state = ctypes.CDLL(None).adjtimex(buffer)
    except (OSError, AttributeError):
        return None
    return None if state < 0 else state != _TIME_ERROR
