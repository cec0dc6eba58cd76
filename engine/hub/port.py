"""Answers the gRPC services: cameras and latest verdicts from memory, other reads from the database, changes through
the hub's thread."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from typing import TypeVar

from engine import __version__
from engine.clock import monotonic_ns, wall_ns
from engine.errors import ErrorReason, NotFoundError, RegistryError, UnavailableError
from engine.feed.camera_url import check_url, is_file
from engine.hub.catalog import Catalog
from engine.hub.keyframes.pipeline import Storage
from engine.hub.local_cameras import LocalCameras
from engine.hub.reads import Reads
from engine.hub.services.canteens import CanteenService
from engine.hub.services.configurations import ConfigurationService
from engine.hub.services.digests import DigestService
from engine.hub.services.findings import FindingsService
from engine.hub.services.kpis import KpiService
from engine.hub.services.photographs import PhotographService
from engine.hub.services.pictures import PictureService
from engine.hub.services.spot_checks import SpotCheckService
from engine.hub.services.viewers import Viewers
from engine.hub.state import HubState
from engine.hub.stories.stories import Stories
from engine.interchange.registry_rules import check_cameras, is_masked, restore_passwords
from engine.judge.rules import RULES_VERSION
from engine.model.camera import Camera
from engine.model.dialogue import TraceLine
from engine.model.engine_status import EngineStatus
from engine.model.registry import (
    ImportReport,
    RowProblem,
)
from engine.model.schedule import CameraPlanReport, Pause, PauseScope, PauseStatus, SchedulerStatus
from engine.model.stories.story import CameraStory
from engine.model.visit import CheckNowReport
from engine.runtime.log import report, time_text
from engine.runtime.log_events import CAMERA_REFUSED, PAUSE_BEGAN
from engine.serve.access.not_found import no_camera
from engine.storage.db.pauses import upsert_pause

Answer = TypeVar("Answer")

_FLUSH_S = 5.0
_BEGIN_S_MAX = 5.0
"""How long calls about the schedule wait for the patrol to begin; until then the stored cameras are not in it."""
_BEGIN_POLL_S = 0.05
_IMPORT_ROWS = 1000
"""Rows of an import in one transaction; the patrol writes its verdicts between two of them."""
_SEARCH_ROWS = 500
_NO_FILE = (
    "a file of the engine's machine cannot be given over the API; give the URL of a camera, or stop the engine and use "
    "`patrol cameras import` on its machine"
)


class Port(Reads):
    """Implements engine.serve.port.HubPort. Database calls run in threads, hub state is read in the hub's thread.

    `has_begun`: whether the patrol has; any thread may ask. Calls about the schedule wait for that, and raise
    UnavailableError if it takes too long.
    """

    def __init__(
        self,
        state: HubState,
        storage: Storage,
        catalog: Catalog,
        kpis: KpiService,
        findings: FindingsService,
        pictures: PictureService,
        canteens: CanteenService,
        digests: DigestService,
        stories: Stories,
        cameras: LocalCameras,
        has_begun: Callable[[], bool],
    ) -> None:
        spot_checks = SpotCheckService(
            storage.store.spot_checks, lambda: state.configuration.settings.scheduler, self.check_now
        )
        super().__init__(storage.store, state.registry, catalog, spot_checks)
        self._state = state
        self._has_begun = has_begun
        self._storage = storage
        self._kpi_service = kpis
        self._findings = findings
        self._pictures = pictures
        self.photographs = PhotographService(state, storage.evidence)
        self.viewers = Viewers()
        self._canteens = canteens
        self._digests = digests
        self._stories = stories
        self._cameras = cameras
        stored = storage.store.applied_configurations if storage.store.is_shard else None
        self._configurations = ConfigurationService(state.configuration, state.calls, state.registry.cameras, stored)
        self._started_wall_ns = wall_ns()

    async def import_cameras(
        self, cameras: Sequence[Camera], keep_good: bool, validate_only: bool = False
    ) -> ImportReport:
        """Check all rows, then store and visit the good ones; with a bad row and without `keep_good` none."""
        cameras, problems = await asyncio.to_thread(self._check, cameras)
        bad = {problem.index for problem in problems}
        if not validate_only:
            for problem in problems:
                camera_id = cameras[problem.index].camera_id
                report(CAMERA_REFUSED, camera_id=camera_id, column=problem.column, why=problem.message)
        if bad and not keep_good:
            return ImportReport(problems=problems)
        good = [camera for index, camera in enumerate(cameras) if index not in bad]
        if validate_only:
            would = await asyncio.to_thread(self._store.registry.compare, good)
            return ImportReport(*would, problems)
        counts = (0, 0, 0)
        for begin in range(0, len(good), _IMPORT_ROWS):
            rows = good[begin : begin + _IMPORT_ROWS]
            added, changed, unchanged = await asyncio.to_thread(self._store.registry.upsert, rows)
            counts = (counts[0] + added, counts[1] + changed, counts[2] + unchanged)
            await self._ask(lambda rows=rows: self._cameras.upsert(rows))  # type: ignore[misc]
            await asyncio.to_thread(self._kpi_service.upsert, rows)
        return ImportReport(*counts, problems)

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Remove cameras with everything kept about them; returns how many were removed, and the ids not known."""

        await self._ask(lambda: self._cameras.forget(camera_ids))
        await asyncio.to_thread(self._kpi_service.remove, camera_ids)
        removed = await asyncio.to_thread(self._store.registry.remove, camera_ids)
        for camera_id in removed:
            await asyncio.to_thread(self._storage.evidence.remove, camera_id)
        unknown = set(camera_ids) - set(removed)
        return len(removed), tuple(camera_id for camera_id in camera_ids if camera_id in unknown)

    async def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget what cameras usually show; returns how many were reset, and the ids not known."""
        reset, unknown = await self._ask(lambda: self._state.judge.reset_baselines(camera_ids))
        # Verdicts judged before this call are written first; else they would bring the old baseline back.
        await asyncio.to_thread(self._storage.writer.flush, _FLUSH_S)
        await asyncio.to_thread(self._store.replace_judge_states, reset)
        return len(reset), unknown

    async def check_now(self, camera_ids: Sequence[str], trace: bool = False) -> CheckNowReport:
        """Visit these cameras before all others, within the caps. `trace`: `dialogue` then has what is said."""
        return await self._ask_schedule(lambda: self._state.visits.check_now(camera_ids, monotonic_ns(), trace=trace))

    async def dialogue(self, camera_id: str, visit_id: int) -> Sequence[TraceLine]:
        """Return what was said in a visit that is traced."""
        return await self._ask(lambda: self._state.visits.dialogues.get(camera_id, visit_id))

    async def forget_dialogues(self, camera_ids: Sequence[str]) -> None:
        """Trace these cameras no more."""
        await self._ask(lambda: self._state.visits.dialogues.forget(camera_ids))

    async def story(self, camera_id: str) -> CameraStory:
        """Return what happened to a camera lately; without events while it is quietly ok."""
        return self._stories.story(camera_id)

    async def status(self, region_prefix: str) -> EngineStatus:
        """Return how the patrol goes, with the cameras of a region."""
        return await self._ask(lambda: self._status(region_prefix))

    async def schedule(self) -> SchedulerStatus:
        """Return how the patrol keeps its periods."""
        return await self._ask_schedule(lambda: self._state.visits.status(monotonic_ns()))

    async def plan(self, camera_id: str) -> CameraPlanReport:
        """Return why a camera is due when it is. Raises NotFoundError for an unknown id."""
        try:
            return await self._ask_schedule(lambda: self._state.visits.plan(camera_id, monotonic_ns()))
        except RegistryError as error:
            raise no_camera(camera_id) from error

    async def pause(self, pause: Pause) -> PauseStatus:
        """Stop visiting the cameras of a scope; returns once the pause outlives a restart."""
        await self._begun()
        await asyncio.wrap_future(self._storage.writer.transact(upsert_pause(pause)))
        status = await self._ask(lambda: self._state.visits.pause(pause, monotonic_ns()))
        report(
            PAUSE_BEGAN,
            kind=pause.scope.kind,
            value=pause.scope.value,
            who=pause.who,
            reason=pause.reason,
            until=time_text(pause.until_wall_ns),
            cameras=status.cameras,
        )
        return status

    async def resume(self, scope: PauseScope) -> PauseStatus:
        """Visit them again. Raises NotFoundError if the scope is not paused."""
        status = await self._ask_schedule(lambda: self._state.visits.resume(scope, monotonic_ns()))
        # An empty write is done when all writes before it are: the pause does not come back with a restart.
        await asyncio.wrap_future(self._storage.writer.transact())
        if status is None:
            raise NotFoundError(
                f"{scope.kind} {scope.value!r} is not paused; GetSchedulerStatus names what is",
                reason=ErrorReason.PAUSE_NOT_FOUND,
                metadata={"scope": scope.kind, "value": scope.value},
            )
        return status

    @property
    def ledger(self) -> FindingsService:
        """The service of findings."""
        return self._findings

    @property
    def configurations(self) -> ConfigurationService:
        """The service of the configuration."""
        return self._configurations

    @property
    def kpis(self) -> KpiService:
        """The service of KPIs."""
        return self._kpi_service

    @property
    def canteens(self) -> CanteenService:
        """The service of canteens."""
        return self._canteens

    @property
    def digests(self) -> DigestService:
        """The service of digests."""
        return self._digests

    @property
    def pictures(self) -> PictureService:
        """The service of pictures."""
        return self._pictures

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        future: Future[Answer] = self._state.calls.ask(question)
        return await asyncio.wrap_future(future)

    async def _ask_schedule(self, question: Callable[[], Answer]) -> Answer:
        await self._begun()
        return await self._ask(question)

    async def _begun(self) -> None:
        """Wait until the patrol has begun. Raises UnavailableError after five seconds."""
        now_s = asyncio.get_running_loop().time
        give_up_s = now_s() + _BEGIN_S_MAX
        while not self._has_begun():
            if now_s() > give_up_s:
                raise UnavailableError(
                    "the patrol has not begun: no worker is ready yet; ask again in a second, and if that goes on, "
                    "/readyz and the log say why"
                )
            await asyncio.sleep(_BEGIN_POLL_S)

    def _check(self, cameras: Sequence[Camera]) -> tuple[Sequence[Camera], tuple[RowProblem, ...]]:
        to_restore = [camera.camera_id for camera in cameras if is_masked(camera)]
        cameras, unknown = restore_passwords(cameras, self._store.registry.urls(to_restore) if to_restore else {})
        problems = check_cameras(cameras, self._check_url)
        wrong = {(problem.index, problem.column) for problem in problems}
        return cameras, (*problems, *self._files(cameras, wrong), *unknown)

    def _files(self, cameras: Sequence[Camera], wrong: set[tuple[int, str]]) -> Iterator[RowProblem]:
        """Yield a problem for each new URL that names a file, whatever feed.schemes says; not for rows and columns in
        `wrong`."""
        kept = self._state.registry.cameras
        for index, camera in enumerate(cameras):
            known = kept.get(camera.camera_id)
            if is_file(camera.url) and (known is None or known.url != camera.url) and (index, "url") not in wrong:
                yield RowProblem(index, "url", camera.url, _NO_FILE)
            sub_url = camera.sub_url
            if is_file(sub_url) and (known is None or known.sub_url != sub_url) and (index, "sub_url") not in wrong:
                yield RowProblem(index, "sub_url", sub_url, _NO_FILE)

    def _check_url(self, url: str) -> None:
        check_url(url, self._state.configuration.settings.feed.schemes)

    def _status(self, region_prefix: str) -> EngineStatus:
        by_state = self._state.registry.by_state(region_prefix)
        return EngineStatus(
            version=__version__,
            rules_version=RULES_VERSION,
            started_wall_ns=self._started_wall_ns,
            cameras=sum(by_state.values()),
            cameras_enabled=self._state.registry.enabled(region_prefix),
            cameras_by_state=by_state,
            machine=self._state.telemetry.machine(monotonic_ns()),
            time_zone=self._state.configuration.calendar.timezone,
            now_wall_ns=wall_ns(),
        )
