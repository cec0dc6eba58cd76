"""The one place where a token's region is enforced: the hub, as one caller may see it.

Every service asks through here, and never the hub itself. What lies outside the caller's region is not there: the same
answer, in the same words, as for what does not exist. A test holds that each method of the port has its own here.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from engine.errors import DeniedError, InvalidArgumentError, NotFoundError
from engine.model.access import Actor, AuditEntry, AuditQuery, Token, TokenOrder
from engine.model.camera import Camera
from engine.model.config_report import ConfigReport
from engine.model.engine_status import EngineStatus
from engine.model.findings import Finding, FindingCommand, FindingPage, FindingQuery, LedgerEvent, LoggedEvent
from engine.model.kpi import Counts, KpiQuery, KpiRow, KpiTable, LeagueQuery, LeagueTable
from engine.model.picture import RenderedPicture
from engine.model.registry import CameraPage, CameraQuery, CameraStatus, ImportReport, RowProblem
from engine.model.schedule import CameraPlanReport, Pause, PauseKind, PauseScope, PauseStatus, SchedulerStatus
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.verdict import LoggedVerdict, PublishedVerdict, Verdict
from engine.model.visit import CheckNowReport
from engine.serve.port import HubPort
from engine.serve.streams.filters import FindingFilter, VerdictFilter
from engine.serve.streams.watch import Watch


def no_camera(camera_id: str) -> NotFoundError:
    """What is said of a camera that is not known, or not the caller's."""
    return NotFoundError(f"camera {camera_id!r} is not in the registry; import it first")


def no_finding(finding_id: int) -> NotFoundError:
    """The same of a finding."""
    return NotFoundError(f"there is no finding {finding_id}; ListFindings names those there are")


class Scoped:
    """The hub on behalf of one caller."""

    def __init__(
        self, hub: HubPort, actor: Actor, verdicts: Watch[PublishedVerdict], findings: Watch[LoggedEvent]
    ) -> None:
        self._hub = hub
        self._actor = actor
        self._region = actor.region
        self._verdict_watch = verdicts
        self._finding_watch = findings

    @property
    def region(self) -> str:
        """The caller's; page tokens are bound to it."""
        return self._region

    def whole(self) -> None:
        """Raises DeniedError unless the caller sees everything."""
        if self._region:
            raise DeniedError(
                f"token {self._actor.name!r} is of region {self._region}, and this concerns everybody's cameras; ask "
                "with a token of all regions"
            )

    async def import_cameras(
        self, cameras: Sequence[Camera], keep_good: bool, validate_only: bool = False
    ) -> ImportReport:
        """Rows of another region, or whose id stands for a camera of one, are bad rows."""
        if not self._region:
            return await self._hub.import_cameras(cameras, keep_good, validate_only)
        foreign = set(await self._foreign([camera.camera_id for camera in cameras]))
        problems = {}
        for index, camera in enumerate(cameras):
            if not self._actor.sees(camera.region):
                allowed = f"outside the region of this token; allowed: {self._region} and what lies within"
                problems[index] = RowProblem(index, "region", camera.region, allowed)
            elif camera.camera_id in foreign:
                problems[index] = RowProblem(index, "camera_id", camera.camera_id, "this token cannot use this id")
        if problems and not keep_good:
            return ImportReport(problems=tuple(problems.values()))
        own = [index for index in range(len(cameras)) if index not in problems]
        report = await self._hub.import_cameras([cameras[index] for index in own], keep_good, validate_only)
        found = [*problems.values(), *(replace(one, index=own[one.index]) for one in report.problems)]
        return replace(report, problems=tuple(sorted(found, key=lambda one: one.index)))

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Cameras of other regions are among the unknown."""
        own = await self._own(camera_ids)
        number, unknown = await self._hub.remove_cameras(own) if own else (0, ())
        return number, _in_order(camera_ids, own, unknown)

    async def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Cameras of other regions are among the unknown."""
        own = await self._own(camera_ids)
        number, unknown = await self._hub.reset_baselines(own) if own else (0, ())
        return number, _in_order(camera_ids, own, unknown)

    async def check_now(self, camera_ids: Sequence[str]) -> CheckNowReport:
        """Cameras of other regions are among the unknown."""
        own = await self._own(camera_ids)
        report = await self._hub.check_now(own) if own else CheckNowReport()
        return replace(report, unknown_ids=_in_order(camera_ids, own, report.unknown_ids))

    async def camera(self, camera_id: str) -> CameraStatus | None:
        """None for a camera of another region."""
        status = await self._hub.camera(camera_id)
        return status if status is not None and self._actor.sees(status.camera.region) else None

    async def known(self, camera_ids: Sequence[str]) -> set[str]:
        """Those of these cameras that are in the registry, and the caller's."""
        regions = await self._hub.regions(camera_ids)
        return {one for one, region in regions.items() if self._actor.sees(region)}

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """Those of the caller's region."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return CameraPage((), None, 0)
        return await self._hub.list_cameras(replace(query, region_prefix=prefix))

    async def verdict(self, camera_id: str, visit_id: int) -> Verdict | None:
        """None for a camera of another region."""
        return await self._hub.verdict(camera_id, visit_id) if await self._sees(camera_id) else None

    async def verdicts(self, camera_id: str, before_seq: int, limit: int) -> Sequence[LoggedVerdict]:
        """Raises NotFoundError for a camera of another region."""
        if not await self._sees(camera_id):
            raise no_camera(camera_id)
        return await self._hub.verdicts(camera_id, before_seq, limit)

    async def verdict_head(self) -> int:
        """Where a watch that begins now begins."""
        return await self._verdict_watch.head()

    async def watch_verdicts(self, wanted: VerdictFilter, after: int) -> AsyncGenerator[bytes, None]:
        """Coded replies of the caller's region; see Watch.bodies."""
        with self._verdict_watch.place():
            async for one in self._verdict_watch.bodies(after, replace(wanted, scope=self._region)):
                yield one

    async def verdict_news(self, after: int) -> AsyncGenerator[Sequence[PublishedVerdict], None]:
        """The same as values; the first is empty and says that there was a place, later ones that time goes by."""
        with self._verdict_watch.place():
            yield ()
            async for news in self._verdict_watch.news(after):
                yield [one for one in news if one.region.startswith(self._region)]

    async def picture(
        self, camera_id: str, visit_id: int, side_px_max: int, *, annotated: bool = False, sha256: str = ""
    ) -> RenderedPicture | None:
        """None for a camera of another region."""
        if not await self._sees(camera_id):
            return None
        return await self._hub.picture(camera_id, visit_id, side_px_max, annotated=annotated, sha256=sha256)

    async def status(self, region_prefix: str) -> EngineStatus:
        """Counts of the caller's region; how the machine goes is told to those who see all of it."""
        prefix = self._narrowed(region_prefix)
        status = await self._hub.status(self._region if prefix is None else prefix)
        if prefix is None:
            status = replace(status, cameras=0, cameras_enabled=0, cameras_by_state={})
        return replace(status, machine=None) if self._region else status

    async def schedule(self) -> SchedulerStatus:
        """For those who see everything."""
        self.whole()
        return await self._hub.schedule()

    async def plan(self, camera_id: str) -> CameraPlanReport:
        """Raises NotFoundError for a camera of another region."""
        if not await self._sees(camera_id):
            raise no_camera(camera_id)
        return await self._hub.plan(camera_id)

    async def pause(self, pause: Pause) -> PauseStatus:
        """Regions and cameras of the caller's; recorders and platforms, which may be shared, if they see everything."""
        await self._may_pause(pause.scope)
        return await self._hub.pause(pause)

    async def resume(self, scope: PauseScope) -> PauseStatus:
        """The same."""
        await self._may_pause(scope)
        return await self._hub.resume(scope)

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """For those who see everything: warnings count everybody's cameras."""
        self.whole()
        return await self._hub.validate_config(text)

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool) -> ConfigReport:
        """For those who see everything."""
        self.whole()
        return await self._hub.apply_config(text, expected_revision, dry_run)

    async def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        """From the caller's region."""
        prefix = self._narrowed(order.region_prefix)
        if prefix is None:
            raise NotFoundError(
                f"no canteen of region {order.region_prefix!r} can be drawn (cameras left out: none); import enabled "
                "cameras with site_id or site_name and region"
            )
        return await self._hub.draw_spot_check(replace(order, region_prefix=prefix))

    async def spot_check(self, draw_id: int) -> SpotCheck | None:
        """Those that were drawn from within the caller's region."""
        if not draw_id:
            latest = next(iter(await self.spot_checks()), None)
            return None if latest is None else await self._hub.spot_check(latest.draw_id)
        check = await self._hub.spot_check(draw_id)
        return check if check is not None and self._actor.sees(check.header.region_prefix) else None

    async def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """Those that were drawn from within the caller's region."""
        return tuple(one for one in await self._hub.spot_checks() if self._actor.sees(one.region_prefix))

    async def finding(self, finding_id: int) -> Finding | None:
        """None for a finding of another region."""
        finding = await self._hub.ledger.finding(finding_id)
        return finding if finding is not None and self._actor.sees(finding.subject.region) else None

    async def findings(self, query: FindingQuery) -> FindingPage:
        """Those of the caller's region."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return FindingPage((), 0, 0)
        return await self._hub.ledger.findings(replace(query, region_prefix=prefix))

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """Raises NotFoundError for a finding of another region."""
        if await self.finding(finding_id) is None:
            raise no_finding(finding_id)
        return await self._hub.ledger.finding_events(finding_id)

    async def act(self, command: FindingCommand) -> Finding:
        """As the caller; raises NotFoundError for a finding of another region."""
        if await self.finding(command.finding_id) is None:
            raise no_finding(command.finding_id)
        return await self._hub.ledger.act(command, self._actor)

    async def finding_head(self) -> int:
        """Where a watch that begins now begins."""
        return await self._finding_watch.head()

    async def watch_findings(self, query: FindingQuery, after: int) -> AsyncGenerator[bytes, None]:
        """Coded replies of the caller's region; see Watch.bodies."""
        with self._finding_watch.place():
            async for one in self._finding_watch.bodies(after, FindingFilter(query, self._region)):
                yield one

    async def kpis(self, query: KpiQuery) -> KpiTable:
        """Those of the caller's region."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return KpiTable(query.by, (), KpiRow(query.region_prefix, {}, Counts(), days=0))
        try:
            return await self._hub.indicators.table(replace(query, region_prefix=prefix))
        except ValueError as error:
            raise InvalidArgumentError("page_token", str(error)) from error

    async def league(self, query: LeagueQuery) -> LeagueTable:
        """Of the caller's region: the places are those among what they see."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return LeagueTable(query.kpi, ())
        return await self._hub.indicators.league(replace(query, region_prefix=prefix))

    async def create_token(self, order: TokenOrder) -> tuple[Token, str]:
        """For the caller's region or part of it."""
        if not self._actor.sees(order.region):
            raise DeniedError(
                f"region {order.region!r} is not within that of your token, {self._region}; give one that is"
            )
        return await self._hub.create_token(order, self._actor)

    async def tokens(self) -> tuple[Token, ...]:
        """Those of the caller's region or part of it."""
        return tuple(one for one in await self._hub.tokens() if self._actor.sees(one.region))

    async def revoke_token(self, token_id: int) -> Token | None:
        """None for one that is not of the caller's region."""
        known = {one.token_id for one in await self.tokens()}
        return await self._hub.revoke_token(token_id) if token_id in known else None

    async def audit_entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """What callers of the same region, or of part of it, did."""
        return await self._hub.audit_entries(replace(query, region_prefix=self._region))

    def _narrowed(self, prefix: str) -> str | None:
        """The part of a region that the caller sees; None: nothing of it."""
        if prefix.startswith(self._region):
            return prefix
        return self._region if self._region.startswith(prefix) else None

    async def _sees(self, camera_id: str) -> bool:
        return not self._region or await self.camera(camera_id) is not None

    async def _own(self, camera_ids: Sequence[str]) -> list[str]:
        """Those that are not known to lie in another region."""
        foreign = set(await self._foreign(camera_ids))
        return [one for one in camera_ids if one not in foreign]

    async def _foreign(self, camera_ids: Sequence[str]) -> list[str]:
        if not self._region:
            return []
        regions = await self._hub.regions(camera_ids)
        return [one for one, region in regions.items() if not self._actor.sees(region)]

    async def _may_pause(self, scope: PauseScope) -> None:
        if scope.kind is PauseKind.CAMERA:
            if await self.camera(scope.value) is None:
                raise no_camera(scope.value)
        elif scope.kind is not PauseKind.REGION or not self._actor.sees(scope.value):
            self.whole()


def _in_order(asked: Sequence[str], own: Sequence[str], unknown: Sequence[str]) -> tuple[str, ...]:
    """The unknown among what was asked for, those of other regions too, as they were named."""
    known = set(own) - set(unknown)
    return tuple(one for one in asked if one not in known)
