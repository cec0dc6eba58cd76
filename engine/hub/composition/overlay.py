"""Joins the reader of clocks and names with what the hub keeps."""

import contextlib
from zoneinfo import ZoneInfo

from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.hub.keyframes.pipeline import Storage
from engine.hub.loop import Sockets
from engine.hub.overlay.reader_link import ReaderLink
from engine.hub.overlay.readings import OverlayReadings
from engine.hub.registry import Registry
from engine.hub.services.findings import FindingsService
from engine.hub.thread_calls import ThreadCalls
from engine.metrics import Metrics


def make_readings(
    settings: Settings,
    calendar: Calendar,
    sockets: Sockets,
    calls: ThreadCalls,
    registry: Registry,
    findings: FindingsService,
    storage: Storage,
    metrics: Metrics,
    stack: contextlib.ExitStack,
) -> tuple[ReaderLink, OverlayReadings] | tuple[None, None]:
    """Return the link to the reader, and the thread that has cameras read, which is not started yet; None without a
    reader."""
    if sockets.read is None:
        return None, None
    link = ReaderLink(sockets.read)
    zone = ZoneInfo(calendar.timezone)
    readings = OverlayReadings(settings.reader, zone, link, calls, registry, findings, storage.evidence, metrics)
    stack.callback(readings.close)
    return link, readings
