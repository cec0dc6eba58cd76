"""Writes structured logs to stderr, one event a line, without secrets.

What libraries log (gRPC, warnings of Python) becomes lines of the same form.
"""

import logging
import os
import sys
import threading
from collections.abc import Callable, MutableMapping
from datetime import UTC, datetime
from typing import Any, TextIO

import structlog

from engine.clock import NS_PER_S, monotonic_ns
from engine.redact import KNOWN
from engine.runtime.log_burst import BurstLimit
from engine.runtime.log_events import LINES_SUMMED, LogEvent

LINES_MAX = 20
"""Lines of one kind of LogEvent in a second; those beyond are summed: an outage of a province is a few lines."""
_GROUPS_MAX = 20
_burst = BurstLimit(LINES_MAX)
_burst_lock = threading.Lock()

Event = MutableMapping[str, Any]
Processor = Callable[[Any, str, Event], Any]


def _to_stderr(*_: Any) -> structlog.PrintLogger:
    return structlog.PrintLogger(sys.stderr)


# In a program that configures no logging, as a benchmark, stdout is for what it prints; structlog would write there.
structlog.configure_once(logger_factory=_to_stderr)


def configure_logging(level: str, layout: str, process: str, stream: TextIO | None = None) -> None:
    """Set up logging for this process. `layout`: console, json, or auto (console on a terminal). `stream`: stderr.

    Every line carries `process`. Colours are for terminals only, and not if NO_COLOR is set. Raises KeyError for an
    unknown level.
    """
    stream = stream or sys.stderr
    threshold = logging.getLevelNamesMapping()[level.upper()]
    console = is_console(layout, stream)
    first: list[Processor] = [
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=not console),
        _named(process),
    ]
    last: list[Processor] = [structlog.processors.format_exc_info, _without_passwords, _renderer(console, stream)]
    structlog.configure(
        processors=[structlog.contextvars.merge_contextvars, *first, *last],
        wrapper_class=structlog.make_filtering_bound_logger(threshold),
        logger_factory=structlog.PrintLoggerFactory(stream),
        cache_logger_on_first_use=True,
    )
    _route_libraries(stream, max(threshold, logging.WARNING), first, last)


def is_console(layout: str, stream: TextIO) -> bool:
    """Return whether the log is for people, and not JSON."""
    return layout == "console" or (layout == "auto" and stream.isatty())


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger. Do not bind values to it that differ from camera to camera: binding copies it."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log


def report(event: LogEvent, **fields: Any) -> None:
    """Log a line of this kind, or count it if there were LINES_MAX of them within this second. Any thread.

    `fields`: a value for each of the event's fields.
    """
    with _burst_lock:
        admitted = _burst.admit(event.name, str(fields[event.group]), monotonic_ns())
    if admitted:
        getattr(logger(), event.level)(event.name, **fields)
    else:
        sum_reports()


def sum_reports() -> None:
    """Log how many lines were left out in seconds that are over. To be called about once a second, and at the end."""
    with _burst_lock:
        summed = _burst.drain(monotonic_ns())
    for name, counts in summed.items():
        logger().warning(LINES_SUMMED.name, of=name, number=counts.total(), by=dict(counts.most_common(_GROUPS_MAX)))


def time_text(at_wall_ns: int) -> str:
    """Return a time as the log writes it, in UTC; empty for 0."""
    return datetime.fromtimestamp(at_wall_ns // NS_PER_S, UTC).isoformat() if at_wall_ns else ""


def _renderer(console: bool, stream: TextIO) -> Processor:
    if not console:
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(colors=stream.isatty() and not os.environ.get("NO_COLOR"))


def _route_libraries(stream: TextIO, threshold: int, first: list[Processor], last: list[Processor]) -> None:
    """Have what libraries log, and warnings, come out as our own lines. Their chatter below warnings is left out."""
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[structlog.stdlib.add_logger_name, *first],
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *last],
        )
    )
    logging.basicConfig(handlers=[handler], level=threshold, force=True)
    logging.captureWarnings(True)


def _named(process: str) -> Processor:
    """Return what adds the name of the process. A context variable would be missing in the lines of other threads."""

    def add(_: Any, __: str, event: Event) -> Event:
        event.setdefault("process", process)
        return event

    return add


def _without_passwords(_: Any, __: str, event: Event) -> Event:
    for key, value in event.items():
        event[key] = _redacted(value)
    return event


def _redacted(value: Any) -> Any:
    if isinstance(value, str):
        return KNOWN.redact(value)
    if value is None or isinstance(value, int | float):
        return value
    if isinstance(value, list | tuple | set | frozenset):
        return [_redacted(item) for item in value]
    if isinstance(value, dict):
        return {_redacted(name): _redacted(item) for name, item in value.items()}
    return KNOWN.redact(str(value))  # an exception, a path: the renderer would write it as it is
