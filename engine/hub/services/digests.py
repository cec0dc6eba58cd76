"""Makes digests for callers of the API, from the same database and with the same page as `patrol report`."""

import asyncio
from collections.abc import Callable
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from engine.clock import NS_PER_S, wall_ns
from engine.errors import InvalidArgumentError, UnavailableError
from engine.hub.services.digest_report import report
from engine.interchange.regions import Regions
from engine.model.digest import DigestQuery, DigestReport
from engine.notices.digest import Digest, Period
from engine.notices.html_page import html
from engine.notices.vocabulary import Lang
from engine.storage.db.store import Store

LISTED_MAX = 500
"""Findings that a digest lists; a reply must fit the 4 MB that clients take."""
HTML_BYTES_MAX = 3 * 1024 * 1024
WAITING_MAX = 8
"""Callers whose digest is made or waits; one is made at a time, since the events of a week take seconds to replay."""


class DigestService:
    """For one event loop. `timezone`: of the kitchens."""

    def __init__(
        self, store: Store, timezone: str, regions: Regions, clock_wall_ns: Callable[[], int] = wall_ns
    ) -> None:
        self._store = store
        self._timezone = timezone
        self._regions = regions
        self._clock_wall_ns = clock_wall_ns
        self._turn = asyncio.Lock()
        self._waiting = 0

    def configure(self, timezone: str) -> None:
        """Apply a new time zone to the digests that are made from now on."""
        self._timezone = timezone

    async def digest(self, query: DigestQuery) -> DigestReport:
        """Make a digest.

        Raises InvalidArgumentError for a period that is still to come, UnavailableError if too many callers wait.
        """
        if self._waiting >= WAITING_MAX:
            raise UnavailableError(f"{WAITING_MAX} digests are asked for already, which is the most; ask again soon")
        self._waiting += 1
        try:
            async with self._turn:
                return await asyncio.to_thread(self._make, query)
        finally:
            self._waiting -= 1

    def _make(self, query: DigestQuery) -> DigestReport:
        now_ns, timezone = self._clock_wall_ns(), self._timezone
        period = _period(query, now_ns, timezone)
        made = report(self._store, query.region_prefix, period, timezone, self._regions, now_ns, LISTED_MAX).digest
        page = html(made, Lang(query.lang)) if query.with_html else ""
        return _report_of(made, page if len(page.encode()) <= HTML_BYTES_MAX else "")


def _period(query: DigestQuery, now_wall_ns: int, timezone: str) -> Period:
    """Return the period of a query. Raises InvalidArgumentError if it is still to come, or the calendar ends before."""
    day = query.day
    if day is None:
        if query.weekly:
            return Period.last_week(now_wall_ns, timezone)
        day = datetime.fromtimestamp(now_wall_ns // NS_PER_S, ZoneInfo(timezone)).date() - timedelta(days=1)
    try:
        year, week, _ = day.isocalendar()
        period = Period.of_week(f"{year:04}-W{week:02}") if query.weekly else Period.of_day(day.isoformat())
        begins_ns, _ = period.wall_ns(timezone)
        period.before.wall_ns(timezone)
    except OverflowError as error:
        raise InvalidArgumentError("date", f"{day}; allowed: a day from 1970 to today") from error
    if not 0 <= begins_ns <= now_wall_ns:
        raise InvalidArgumentError(
            "date", f"{day}: its period begins on {period.first}; allowed: from 1970 to today; give an earlier or none"
        )
    return period


def _report_of(made: Digest, page: str) -> DigestReport:
    return DigestReport(
        region=made.region,
        region_name=made.region_name,
        first=made.period.first,
        last=made.period.last,
        timezone=made.timezone,
        made_wall_ns=made.made_wall_ns,
        so_far=made.so_far,
        rates={line.name: line.rate for line in made.kpis},
        before={line.name: line.before for line in made.kpis if line.before is not None},
        kpi_days=made.kpi_days,
        league=made.league,
        total=made.total,
        by_severity=made.by_severity,
        by_level=made.by_level,
        findings=tuple(snapshot.finding for section in made.sections for snapshot in section.findings),
        left_out=made.left_out,
        html=page,
    )
