"""Spot checks of the running engine: draws canteens, stores the draw, and visits their cameras if asked to."""

import asyncio
import secrets
import threading
from collections.abc import Awaitable, Callable, Sequence

from engine.clock import wall_ns
from engine.config.schema import SchedulerSettings
from engine.errors import ConflictError, ErrorReason, NotFoundError
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.visit import CheckNowCounts, CheckNowReport
from engine.runtime.log import logger
from engine.scheduler.spot_check import draw
from engine.storage.db.spot_checks import SpotChecks

_SEED_BITS = 32
_IDS_A_CALL = 1000
"""Cameras handed to the hub in one call; between two calls it handles keyframes."""

CheckNow = Callable[[Sequence[str]], Awaitable[CheckNowReport]]


class SpotCheckService:
    """Draws one spot check at a time: two at once could draw the same canteens."""

    def __init__(self, record: SpotChecks, settings: Callable[[], SchedulerSettings], check_now: CheckNow) -> None:
        self._record = record
        self._settings = settings
        self._check_now = check_now
        self._drawing = threading.Lock()

    async def draw(self, order: SpotCheckOrder) -> SpotCheckReport:
        """Draw, store, and visit if `order.check_now`.

        Raises NotFoundError if no canteen can be drawn, ConflictError while another spot check is drawn.
        """
        check = await asyncio.to_thread(self._draw, order)
        if not order.check_now:
            return SpotCheckReport(check)
        camera_ids = await asyncio.to_thread(self._record.cameras_of, [canteen.site_id for canteen in check.drawn])
        reports = [
            await self._check_now(camera_ids[begin : begin + _IDS_A_CALL])
            for begin in range(0, len(camera_ids), _IDS_A_CALL)
        ]
        return SpotCheckReport(check, _totals(reports))

    async def get(self, draw_id: int) -> SpotCheck | None:
        """Return a spot check; 0 means the latest. None if it is not kept."""
        return await asyncio.to_thread(self._record.get, draw_id)

    async def headers(self) -> tuple[SpotCheckHeader, ...]:
        """Return the spot checks that are kept, newest first."""
        return await asyncio.to_thread(self._record.headers)

    def _draw(self, order: SpotCheckOrder) -> SpotCheck:
        if not self._drawing.acquire(blocking=False):
            raise ConflictError(
                "another spot check is being drawn; ask again in a second", reason=ErrorReason.DRAW_UNDER_WAY
            )
        try:
            return self._draw_locked(order)
        finally:
            self._drawing.release()

    def _draw_locked(self, order: SpotCheckOrder) -> SpotCheck:
        settings = self._settings()
        size = order.size or settings.spot_check_sites
        seed = secrets.randbits(_SEED_BITS) if order.seed is None else order.seed
        population = self._record.population(order.region_prefix)
        if not population.canteens:
            raise NotFoundError(
                f"no canteen of region {order.region_prefix!r} can be drawn (cameras left out: "
                f"{population.left_out or 'none'}); import enabled cameras with site_id or site_name and region",
                reason=ErrorReason.NOTHING_TO_DRAW,
                metadata={"region": order.region_prefix},
            )
        drawn = draw(population.canteens, size, seed, settings.spot_findings_weight)
        header = SpotCheckHeader(
            draw_id=0,
            at_wall_ns=wall_ns(),
            size=size,
            seed=seed,
            region_prefix=order.region_prefix,
            findings_weight=settings.spot_findings_weight,
            canteens=len(population.canteens),
            drawn=len(drawn.drawn),
        )
        check = SpotCheck(header, drawn.strata, drawn.drawn, population.left_out)
        if order.dry_run:
            return check
        check = self._record.add(check)
        logger().info("spot check drawn", draw_id=check.header.draw_id, seed=seed, canteens=check.header.drawn)
        return check


def _totals(reports: Sequence[CheckNowReport]) -> CheckNowCounts:
    return CheckNowCounts(
        accepted=sum(len(report.accepted) for report in reports),
        already_in_flight=sum(len(report.in_flight) for report in reports),
        not_visited=sum(
            len(report.unknown_ids) + len(report.not_visited_ids) + len(report.paused_ids) for report in reports
        ),
    )
