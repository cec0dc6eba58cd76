"""What callers may ask of the hub: the gRPC services' port. Reads go to the store, changes through the hub's thread."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import TypeVar

from engine import __version__
from engine.actors import Actor
from engine.clock import monotonic_ns, wall_ns
from engine.errors import RegistryError
from engine.feed.source import check_url
from engine.findings import Finding, FindingCommand, FindingPage, FindingQuery, LedgerEvent
from engine.hub.findings import FindingsOffice
from engine.hub.judging import Judging
from engine.hub.kpis import KpiOffice
from engine.hub.loop import Hub
from engine.hub.registry import Registry
from engine.hub.reload import Configuration
from engine.hub.renders import stamped
from engine.hub.spotcheck import SpotCheckOffice
from engine.hub.visits import Visits
from engine.indicators import KpiQuery, KpiTable, LeagueQuery, LeagueTable
from engine.judge.rules import RULES_VERSION
from engine.record.evidence import Evidence
from engine.record.registry import check_cameras, restore_passwords
from engine.record.store import Store
from engine.record.writer import Writer
from engine.redact import MASK
from engine.replies import (
    CameraPage,
    CameraPlanReport,
    CameraQuery,
    CameraStatus,
    CheckNowReport,
    ConfigReport,
    EngineStatus,
    ImportReport,
    RenderedPicture,
    RowProblem,
    SchedulerStatus,
    SpotCheck,
    SpotCheckHeader,
    SpotCheckOrder,
    SpotCheckReport,
)
from engine.serve.status import NotFoundError
from engine.types import Camera

Answer = TypeVar("Answer")

_FLUSH_S = 5.0


class Port:
    """Implements engine.serve.port.HubPort. Store calls run in threads; the hub's state is touched in its own only."""

    def __init__(
        self,
        hub: Hub,
        registry: Registry,
        visits: Visits,
        judging: Judging,
        findings: FindingsOffice,
        store: Store,
        writer: Writer,
        evidence: Evidence,
        configuration: Configuration,
        kpis: KpiOffice,
    ) -> None:
        self._hub = hub
        self._registry = registry
        self._visits = visits
        self._judging = judging
        self._findings = findings
        self._store = store
        self._writer = writer
        self._evidence = evidence
        self._configuration = configuration
        self._kpis = kpis
        self._spot_checks = SpotCheckOffice(store.spot_checks, lambda: configuration.settings.scheduler, self.check_now)
        self._started_wall_ns = wall_ns()

    async def import_cameras(self, cameras: Sequence[Camera], keep_good: bool) -> ImportReport:
        """Check all, then store and visit the good ones; with a bad row and not `keep_good`, none."""
        cameras, problems = await asyncio.to_thread(self._checked, cameras)
        bad = {problem.index for problem in problems}
        if bad and not keep_good:
            return ImportReport(problems=problems)
        good = [camera for index, camera in enumerate(cameras) if index not in bad]
        added, changed, unchanged = await asyncio.to_thread(self._store.put_cameras, good)

        def put() -> None:
            self._registry.put(good)
            self._visits.put(good, monotonic_ns())

        await self._ask(put)
        await asyncio.to_thread(self._kpis.put, good)
        return ImportReport(added, changed, unchanged, problems)

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget cameras with all that is kept of them; returns how many there were, and the ids not known."""

        def drop() -> None:
            self._visits.remove(camera_ids, monotonic_ns())
            self._registry.remove(camera_ids)
            for camera_id in camera_ids:
                self._judging.forget(camera_id)

        await self._ask(drop)
        await asyncio.to_thread(self._kpis.remove, camera_ids)
        removed = await asyncio.to_thread(self._store.remove_cameras, camera_ids)
        for camera_id in removed:
            await asyncio.to_thread(self._evidence.remove, camera_id)
        unknown = set(camera_ids) - set(removed)
        return len(removed), tuple(camera_id for camera_id in camera_ids if camera_id in unknown)

    async def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget what cameras usually show; how many there were, and the ids not known."""
        reset, unknown = await self._ask(lambda: self._judging.reset_baselines(camera_ids))
        # What was judged before this call is written first, or it would bring the old memory back.
        await asyncio.to_thread(self._writer.flush, _FLUSH_S)
        await asyncio.to_thread(self._store.put_histories, reset)
        return len(reset), unknown

    async def check_now(self, camera_ids: Sequence[str]) -> CheckNowReport:
        """Visit these as soon as the caps allow."""
        return await self._ask(lambda: self._visits.check_now(camera_ids, monotonic_ns()))

    async def camera(self, camera_id: str) -> CameraStatus | None:
        """One camera with its last verdict."""
        return await asyncio.to_thread(self._store.camera, camera_id)

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """A page of them."""
        return await asyncio.to_thread(self._store.page, query)

    async def picture(self, camera_id: str, visit_id: int, side_px_max: int) -> RenderedPicture | None:
        """The kept keyframe as JPEG; None if there is none, or a newer one took its place."""
        keyframe = await asyncio.to_thread(self._evidence.get, camera_id)
        if keyframe is None or visit_id not in (0, keyframe.visit_id):
            return None
        answer = await self._ask(lambda: self._hub.render(keyframe, side_px_max))
        return stamped(await asyncio.wrap_future(answer), keyframe)

    async def status(self) -> EngineStatus:
        """How the patrol goes."""
        return await self._ask(self._status)

    async def schedule(self) -> SchedulerStatus:
        """How the patrol keeps its periods."""
        return await self._ask(lambda: self._visits.status(monotonic_ns()))

    async def plan(self, camera_id: str) -> CameraPlanReport:
        """Why a camera is due when it is; raises NotFoundError."""
        try:
            return await self._ask(lambda: self._visits.plan(camera_id, monotonic_ns()))
        except RegistryError as error:
            raise NotFoundError(str(error)) from error

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool) -> ConfigReport:
        """Take a configuration, or say what it would change."""
        return await self._ask(
            lambda: self._configuration.apply(text, expected_revision=expected_revision, dry_run=dry_run)
        )

    async def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        """Draw canteens for people to look at."""
        return await self._spot_checks.draw(order)

    async def spot_check(self, draw_id: int) -> SpotCheck | None:
        """One draw, 0 the latest; None if it is not kept."""
        return await self._spot_checks.get(draw_id)

    async def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """The draws that are kept, newest first."""
        return await self._spot_checks.headers()

    async def kpis(self, query: KpiQuery) -> KpiTable:
        """KPIs by region and day, from what is written; ValueError for a page token that is none of the list."""
        return await self._kpis.table(query)

    async def kpi_league(self, query: LeagueQuery) -> LeagueTable:
        """The league table."""
        return await self._kpis.league(query)

    async def finding(self, finding_id: int) -> Finding | None:
        """One finding; None if there is none."""
        return await self._findings.finding(finding_id)

    async def findings(self, query: FindingQuery) -> FindingPage:
        """A page of them, newest first."""
        return await self._findings.findings(query)

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """All events of a finding; empty if there is none such."""
        return await self._findings.finding_events(finding_id)

    async def act(self, command: FindingCommand, actor: Actor) -> Finding:
        """Do what a caller wants to a finding; answered when it is committed."""
        return await self._findings.act(command, actor)

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        future: Future[Answer] = self._hub.ask(question)
        return await asyncio.wrap_future(future)

    def _checked(self, cameras: Sequence[Camera]) -> tuple[Sequence[Camera], tuple[RowProblem, ...]]:
        masked = [camera.camera_id for camera in cameras if MASK in camera.url]
        cameras, unknown = restore_passwords(cameras, self._store.urls(masked) if masked else {})
        return cameras, (*check_cameras(cameras, self._check_url), *unknown)

    def _check_url(self, url: str) -> None:
        check_url(url, self._configuration.settings.feed.schemes)

    def _status(self) -> EngineStatus:
        return EngineStatus(
            version=__version__,
            rules_version=RULES_VERSION,
            started_wall_ns=self._started_wall_ns,
            cameras=len(self._registry.cameras),
            cameras_enabled=self._registry.enabled,
            cameras_by_state=self._registry.by_state(),
            visits_in_flight=self._visits.in_flight,
            feeders_ready=self._visits.feeders,
            period_lag_s_max=self._visits.status(monotonic_ns()).lag_s_max,
            **self._hub.facts(),
        )
