"""What callers may ask of the hub: the gRPC services' port. Cameras and their latest verdicts are in the catalog, other
reads go to the store, changes through the hub's thread."""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import TypeVar

from engine import __version__
from engine.clock import monotonic_ns, wall_ns
from engine.errors import ConfigError, NotFoundError, RegistryError
from engine.feed.camera_url import check_url
from engine.hub.catalog import Catalog
from engine.hub.configuration import Configuration
from engine.hub.findings_service import FindingsService
from engine.hub.judging import Judging
from engine.hub.kpi_service import KpiService
from engine.hub.loop import Hub
from engine.hub.registry import Registry
from engine.hub.render_jobs import stamped
from engine.hub.spot_check_service import SpotCheckService
from engine.hub.visits import Visits
from engine.interchange.registry_rules import check_cameras, restore_passwords
from engine.judge.rules import RULES_VERSION
from engine.model.access import Actor, AuditEntry, AuditQuery, Token, TokenOrder
from engine.model.camera import Camera
from engine.model.config_report import ConfigReport
from engine.model.engine_status import EngineStatus, MachineStatus
from engine.model.picture import RenderedPicture
from engine.model.registry import CameraPage, CameraQuery, CameraStatus, ImportReport, RowProblem
from engine.model.schedule import CameraPlanReport, Pause, PauseScope, PauseStatus, SchedulerStatus
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.verdict import LoggedVerdict, Verdict
from engine.model.visit import CheckNowReport
from engine.redact import MASK
from engine.storage.db.pauses import put as put_pause
from engine.storage.db.store import Store
from engine.storage.evidence.keyframe_file import verdict_of
from engine.storage.evidence.store import EvidenceStore
from engine.storage.writer.writer import Writer

Answer = TypeVar("Answer")

_FLUSH_S = 5.0
_PUT_ROWS = 1000
"""Rows of an import in one transaction: the patrol writes between two of them."""
_LOOK_BACK_ROWS = 500


class Port:
    """Implements engine.serve.port.HubPort. Store calls run in threads; the hub's state is touched in its own only."""

    def __init__(
        self,
        hub: Hub,
        registry: Registry,
        catalog: Catalog,
        visits: Visits,
        judging: Judging,
        findings: FindingsService,
        store: Store,
        writer: Writer,
        evidence: EvidenceStore,
        configuration: Configuration,
        kpis: KpiService,
    ) -> None:
        self._hub = hub
        self._registry = registry
        self._catalog = catalog
        self._visits = visits
        self._judging = judging
        self._findings = findings
        self._store = store
        self._writer = writer
        self._evidence = evidence
        self._configuration = configuration
        self._kpis = kpis
        self._spot_checks = SpotCheckService(
            store.spot_checks, lambda: configuration.settings.scheduler, self.check_now
        )
        self._started_wall_ns = wall_ns()

    async def import_cameras(
        self, cameras: Sequence[Camera], keep_good: bool, validate_only: bool = False
    ) -> ImportReport:
        """Check all, then store and visit the good ones; with a bad row and not `keep_good`, none."""
        cameras, problems = await asyncio.to_thread(self._checked, cameras)
        bad = {problem.index for problem in problems}
        if validate_only or (bad and not keep_good):
            return ImportReport(problems=problems)
        good = [camera for index, camera in enumerate(cameras) if index not in bad]
        counts = (0, 0, 0)
        for begin in range(0, len(good), _PUT_ROWS):
            rows = good[begin : begin + _PUT_ROWS]
            put = await asyncio.to_thread(self._store.put_cameras, rows)
            counts = (counts[0] + put[0], counts[1] + put[1], counts[2] + put[2])
            await self._ask(lambda rows=rows: self._put(rows))  # type: ignore[misc]
            await asyncio.to_thread(self._kpis.put, rows)
        return ImportReport(*counts, problems)

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget cameras with all that is kept of them; returns how many there were, and the ids not known."""

        def drop() -> None:
            self._visits.remove(camera_ids, monotonic_ns())
            self._registry.remove(camera_ids)
            self._catalog.forget(camera_ids)
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
        return self._catalog.camera(camera_id)

    async def regions(self, camera_ids: Sequence[str]) -> Mapping[str, str]:
        """The regions of those that are known."""
        known = self._registry.cameras
        return {one: camera.region for one in camera_ids if (camera := known.get(one)) is not None}

    async def verdict(self, camera_id: str, visit_id: int) -> Verdict | None:
        """One verdict, 0 the latest; None if it is not kept."""
        latest = self._catalog.verdict(camera_id)
        if latest is None or visit_id in (0, latest.visit_id):
            return latest
        return await asyncio.to_thread(self._look_back, camera_id, visit_id)

    async def verdicts(self, camera_id: str, before_seq: int, limit: int) -> Sequence[LoggedVerdict]:
        """Verdicts on a camera, newest first, below `before_seq` (0: from the newest)."""
        return await asyncio.to_thread(self._store.history.of_camera, camera_id, before_seq, limit)

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """A page of them."""
        return await asyncio.to_thread(self._catalog.page, query)

    async def picture(
        self, camera_id: str, visit_id: int, side_px_max: int, *, annotated: bool = False, sha256: str = ""
    ) -> RenderedPicture | None:
        """A kept keyframe as JPEG; None if there is none, or a newer one took its place.

        With `sha256`, the exhibit of this name as this camera brought it; StoreError if its bits have changed.
        `annotated`: with the tile map, and what the verdict said of it.
        """
        if sha256:
            exhibit = await asyncio.to_thread(self._evidence.exhibited, sha256, camera_id)
            seen = None if exhibit is None else (exhibit.keyframe, exhibit.facts)
        else:
            seen = await asyncio.to_thread(self._evidence.latest, camera_id)
        if seen is None or visit_id not in (0, seen[0].visit_id):
            return None
        keyframe, facts = seen
        annotate = verdict_of(facts, keyframe.camera_id, keyframe.visit_id) if annotated else None
        answer = await self._ask(lambda: self._hub.render(keyframe, side_px_max, annotate))
        return stamped(await asyncio.wrap_future(answer), keyframe)

    async def status(self, region_prefix: str) -> EngineStatus:
        """How the patrol goes; the cameras of a region."""
        return await self._ask(lambda: self._status(region_prefix))

    async def schedule(self) -> SchedulerStatus:
        """How the patrol keeps its periods."""
        return await self._ask(lambda: self._visits.status(monotonic_ns()))

    async def plan(self, camera_id: str) -> CameraPlanReport:
        """Why a camera is due when it is; raises NotFoundError."""
        try:
            return await self._ask(lambda: self._visits.plan(camera_id, monotonic_ns()))
        except RegistryError as error:
            raise NotFoundError(str(error)) from error

    async def pause(self, pause: Pause) -> PauseStatus:
        """Visit no cameras of a scope; answers once that outlives a restart."""
        await asyncio.wrap_future(self._writer.transact(put_pause(pause)))
        return await self._ask(lambda: self._visits.pause(pause, monotonic_ns()))

    async def resume(self, scope: PauseScope) -> PauseStatus:
        """Visit them again; NotFoundError if the scope is not paused."""
        status = await self._ask(lambda: self._visits.resume(scope, monotonic_ns()))
        if status is None:
            raise NotFoundError(f"{scope.kind} {scope.value!r} is not paused; GetSchedulerStatus names what is")
        return status

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is wrong with a configuration, and what the operator should know of it."""
        try:
            report = await self.apply_config(text, "", dry_run=True)
        except ConfigError as error:
            return tuple(str(error).splitlines()), ()
        return (), report.warnings

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

    async def create_token(self, order: TokenOrder, creator: Actor) -> tuple[Token, str]:
        """A new token, and its secret; ExistsError."""
        return await asyncio.to_thread(self._store.access.create_token, order, creator.name, wall_ns())

    async def tokens(self) -> tuple[Token, ...]:
        """All that were ever made, by number."""
        return await asyncio.to_thread(self._store.access.tokens)

    async def revoke_token(self, token_id: int) -> Token | None:
        """The token holds no longer; None if there is none."""
        return await asyncio.to_thread(self._store.access.revoke_token, token_id, wall_ns())

    async def audit_entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """Changes, newest first."""
        return await asyncio.to_thread(self._store.access.entries, query)

    @property
    def ledger(self) -> FindingsService:
        """The findings."""
        return self._findings

    @property
    def kpis(self) -> KpiService:
        """The KPIs."""
        return self._kpis

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        future: Future[Answer] = self._hub.ask(question)
        return await asyncio.wrap_future(future)

    def _checked(self, cameras: Sequence[Camera]) -> tuple[Sequence[Camera], tuple[RowProblem, ...]]:
        masked = [camera.camera_id for camera in cameras if MASK in camera.url]
        cameras, unknown = restore_passwords(cameras, self._store.urls(masked) if masked else {})
        return cameras, (*check_cameras(cameras, self._check_url), *unknown)

    def _check_url(self, url: str) -> None:
        check_url(url, self._configuration.settings.feed.schemes)

    def _put(self, cameras: Sequence[Camera]) -> None:
        self._registry.put(cameras)
        self._visits.put(cameras, monotonic_ns())

    def _look_back(self, camera_id: str, visit_id: int) -> Verdict | None:
        """Newest first; visits are numbered upwards, so that the search ends at the first that was earlier."""
        before_seq = 0
        while page := self._store.history.of_camera(camera_id, before_seq, _LOOK_BACK_ROWS):
            for one in page:
                if one.verdict.visit_id == visit_id:
                    return one.verdict
                if 0 < one.verdict.visit_id < visit_id:
                    return None
            before_seq = page[-1].seq
        return None

    def _status(self, region_prefix: str) -> EngineStatus:
        by_state = self._registry.by_state(region_prefix)
        return EngineStatus(
            version=__version__,
            rules_version=RULES_VERSION,
            started_wall_ns=self._started_wall_ns,
            cameras=sum(by_state.values()),
            cameras_enabled=self._registry.enabled(region_prefix),
            cameras_by_state=by_state,
            machine=MachineStatus(
                visits_in_flight=self._visits.in_flight,
                feeders_ready=self._visits.feeders,
                period_lag_s_max=self._visits.status(monotonic_ns()).lag_s_max,
                **self._hub.facts(),
            ),
        )
