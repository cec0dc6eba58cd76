"""Writes structured logs to stderr, one event a line, with the passwords of URLs removed."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from engine.redact import redact


def configure_logging(level: str, layout: str, process: str) -> None:
    """Set up logging for this process. `layout`: console, json, or auto (console on a terminal).

    Every line carries `process`. Raises KeyError for an unknown level.
    """
    console = layout == "console" or (layout == "auto" and sys.stderr.isatty())
    renderer: Any = (
        structlog.dev.ConsoleRenderer() if console else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=not console),
            structlog.processors.format_exc_info,
            _without_passwords,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(logging.getLevelNamesMapping()[level.upper()]),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    structlog.contextvars.bind_contextvars(process=process)


def logger() -> structlog.typing.FilteringBoundLogger:
    """Return the logger. Do not bind values to it that differ from camera to camera: binding copies it."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log


def _without_passwords(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value)
    return event
