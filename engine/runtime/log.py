"""Structured logs on stderr: one event a line, with passwords of URLs taken out, whoever wrote them."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog

from engine.redact import redact


def configure_logging(level: str, layout: str, process: str) -> None:
    """`layout`: console, json, or auto (console on a terminal). Every line carries `process`."""
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
    """The logger; bind nothing to it that differs from camera to camera in a loop."""
    log: structlog.typing.FilteringBoundLogger = structlog.get_logger()
    return log


def _without_passwords(_: object, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    for key, value in event.items():
        if isinstance(value, str):
            event[key] = redact(value)
    return event
