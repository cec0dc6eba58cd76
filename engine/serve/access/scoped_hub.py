"""The hub as one caller may see it: the only place where a token's region is enforced.

Services call the hub only through ScopedHub. It reports what lies outside the caller's region in the same words as what
does not exist. A test ensures that it has a method for each method of the ports.
"""

from collections.abc import AsyncGenerator, Sequence
from dataclasses import replace

from engine.clock import wall_ns
from engine.errors import DeniedError, ErrorReason, ExistsError, InvalidArgumentError, NotFoundError
from engine.model.access import Actor, AuditEntry, AuditQuery, Role, Token, TokenOrder
from engine.model.camera import Camera
from engine.model.canteen import Canteen, CanteenPage, CanteenQuery, StoredCanteen
from engine.model.dialogue import TraceLine
from engine.model.engine_status import EngineStatus
from engine.model.findings import LoggedEvent
from engine.model.kpi import Counts, KpiQuery, KpiRow, KpiTable, LeagueQuery, LeagueTable
from engine.model.picture import RenderedPicture
from engine.model.registry import (
    CameraCount,
    CameraPage,
    CameraQuery,
    CameraStatus,
    ImportReport,
    Region,
    RegionLevel,
    RowProblem,
)
from engine.model.schedule import CameraPlanReport, Pause, PauseKind, PauseScope, PauseStatus, SchedulerStatus
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.stories.story import CameraStory
from engine.model.verdict import LoggedVerdict, PublishedVerdict, Verdict
from engine.model.visit import CheckNowReport
from engine.serve.access.not_found import no_camera
from engine.serve.access.scoped_configuration import ScopedConfiguration
from engine.serve.messages.places import Places
from engine.serve.messages.resource_names import verdict_name
from engine.serve.port import HubPort
from engine.serve.streams.broadcast import Broadcast
from engine.serve.streams.filters import VerdictFilter

_FOREIGN_UPLINK = (
    "this uplink name is not this token's to use; name a recorder of your own region, leave it empty, or have it "
    "entered with a token of all regions"
)


class ScopedHub(ScopedConfiguration):
    """Calls the hub on behalf of one caller. Raises whatever the hub raises; see serve/port.py."""

    def __init__(
        self,
        hub: HubPort,
        actor: Actor,
        verdicts: Broadcast[PublishedVerdict],
        findings: Broadcast[LoggedEvent],
        places_key: bytes,
    ) -> None:
        super().__init__(hub, actor, findings, Places(actor.region, places_key))
        self._verdicts = verdicts

    async def import_cameras(
        self, cameras: Sequence[Camera], keep_good: bool, validate_only: bool = False
    ) -> ImportReport:
        """Import rows. Those of another region, with the id of a camera of one, or with an uplink of one, are reported
        as bad rows."""
        if not self._region:
            return await self._changing.import_cameras(cameras, keep_good, validate_only)
        regions = await self._hub.regions([camera.camera_id for camera in cameras])
        on_foreign_uplinks = await self._hub.on_foreign_uplinks(cameras, self._region)
        problems = {}
        for index, camera in enumerate(cameras):
            if not self._actor.sees(camera.region):
                allowed = f"outside the region of this token; allowed: {self._region} and what lies within"
                problems[index] = RowProblem(index, "region", camera.region, allowed)
            elif not self._may_use(camera.camera_id, regions.get(camera.camera_id)):
                problems[index] = RowProblem(index, "camera_id", camera.camera_id, self._own_names("ids"))
            elif camera.camera_id in on_foreign_uplinks:
                problems[index] = RowProblem(index, "uplink", camera.uplink, _FOREIGN_UPLINK)
        self._hide(bool(problems))
        own = [index for index in range(len(cameras)) if index not in problems]
        if problems and not (keep_good and own):
            return ImportReport(problems=tuple(problems.values()))
        report = await self._changing.import_cameras([cameras[index] for index in own], keep_good, validate_only)
        all_problems = [*problems.values(), *(replace(row, index=own[row.index]) for row in report.problems)]
        return replace(report, problems=tuple(sorted(all_problems, key=lambda problem: problem.index)))

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Remove cameras; return how many were removed, and the unknown ids, among them those of other regions."""
        own = await self._own(camera_ids)
        number, unknown = await self._changing.remove_cameras(own) if own else (0, ())
        return number, _in_order(camera_ids, own, unknown)

    async def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Reset baselines; return how many were reset, and the unknown ids, among them those of other regions."""
        own = await self._own(camera_ids)
        number, unknown = await self._changing.reset_baselines(own) if own else (0, ())
        return number, _in_order(camera_ids, own, unknown)

    async def check_now(self, camera_ids: Sequence[str], trace: bool = False) -> CheckNowReport:
        """Visit cameras as soon as the caps allow; those of other regions are among the unknown."""
        own = await self._own(camera_ids)
        report = await self._changing.check_now(own, trace) if own else CheckNowReport()
        return replace(report, unknown_ids=_in_order(camera_ids, own, report.unknown_ids))

    async def dialogue(self, camera_id: str, visit_id: int) -> Sequence[TraceLine]:
        """Return what was said in a visit that is traced; empty for a camera of another region."""
        return await self._hub.dialogue(camera_id, visit_id) if await self._own([camera_id]) else ()

    async def forget_dialogues(self, camera_ids: Sequence[str]) -> None:
        """Trace these cameras no more; those of other regions are not concerned."""
        await self._hub.forget_dialogues(await self._own(camera_ids))

    async def camera(self, camera_id: str) -> CameraStatus | None:
        """Return a camera; None if it is unknown or of another region."""
        status = await self._hub.camera(camera_id)
        return self._seen(status if status is not None and self._actor.sees(status.camera.region) else None)

    async def story(self, camera_id: str) -> CameraStory:
        """Return what happened to a camera lately. Raises NotFoundError if it is unknown or of another region."""
        if await self.camera(camera_id) is None:
            raise no_camera(camera_id)
        return await self._hub.story(camera_id)

    async def registered(self, camera_ids: Sequence[str]) -> set[str]:
        """Return those of the ids that are in the registry and in the caller's region."""
        regions = await self._hub.regions(camera_ids)
        return {camera_id for camera_id, region in regions.items() if self._actor.sees(region)}

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """Return a page of cameras of the caller's region. Raises InvalidArgumentError for a bad page token."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return CameraPage((), None, 0)
        try:
            return await self._hub.list_cameras(replace(query, region_prefix=prefix))
        except ValueError as error:
            raise InvalidArgumentError("page_token", "is not valid for this order; begin without one") from error

    async def count_cameras(self, query: CameraQuery, level: RegionLevel) -> tuple[Sequence[CameraCount], CameraCount]:
        """Count cameras of the caller's region."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return (), CameraCount("", 0, 0, {}, {}, {})
        return await self._hub.count_cameras(replace(query, region_prefix=prefix), level)

    async def verdict(self, camera_id: str, visit_id: int) -> Verdict | None:
        """Return a verdict; None if it is not kept, or its camera is of another region."""
        return await self._hub.verdict(camera_id, visit_id) if await self._sees(camera_id) else None

    async def verdicts(self, camera_id: str, before_seq: int, limit: int) -> Sequence[LoggedVerdict]:
        """Return verdicts on a camera. Raises NotFoundError for a camera of another region."""
        if not await self._sees(camera_id):
            raise no_camera(camera_id)
        return await self._hub.verdicts(camera_id, before_seq, limit)

    async def verdict_head(self) -> int:
        """Return the `seq` after which a watch of verdicts begins that begins now."""
        return await self._verdicts.head()

    async def watch_verdicts(self, verdict_filter: VerdictFilter, after: int) -> AsyncGenerator[bytes, None]:
        """Yield encoded replies with verdicts of the caller's region; raises as Broadcast.messages does."""
        with self._verdicts.admitted():
            async for message in self._verdicts.messages(after, replace(verdict_filter, places=self._places)):
                yield message

    async def verdict_events(self, after: int) -> AsyncGenerator[Sequence[PublishedVerdict], None]:
        """Yield verdicts of the caller's region as values; raises as Broadcast.events does.

        The first item is empty: it says that the caller was admitted as a watcher. Later empty ones are heartbeats.
        """
        with self._verdicts.admitted():
            yield ()
            async for events in self._verdicts.events(after):
                yield [published for published in events if published.region.startswith(self._region)]

    async def picture(
        self,
        camera_id: str,
        visit_id: int,
        side_px_max: int,
        *,
        annotated: bool = False,
        sha256: str = "",
        if_none_match: str = "",
    ) -> RenderedPicture | None:
        """None for a camera of another region."""
        if not await self._sees(camera_id):
            return None
        picture = await self._hub.pictures.picture(
            camera_id, visit_id, side_px_max, annotated=annotated, sha256=sha256, if_none_match=if_none_match
        )
        return self._show(camera_id, picture)

    async def thumbnail(self, camera_id: str, side_px_max: int, if_none_match: str) -> RenderedPicture | None:
        """None for a camera that is unknown or of another region."""
        if await self.camera(camera_id) is None:
            return None
        return self._show(camera_id, await self._hub.pictures.thumbnail(camera_id, side_px_max, if_none_match))

    async def status(self, region_prefix: str) -> EngineStatus:
        """Counts of the caller's region; how the machine goes is told to those who see all of it."""
        prefix = self._narrowed(region_prefix)
        status = await self._hub.status(self._region if prefix is None else prefix)
        if prefix is None:
            status = replace(status, cameras=0, cameras_enabled=0, cameras_by_state={})
        return replace(status, machine=None) if self._region else status

    async def list_regions(self, region_prefix: str) -> Sequence[Region]:
        """Return the regions with cameras that lie within the caller's."""
        prefix = self._narrowed(region_prefix)
        return () if prefix is None else await self._hub.list_regions(prefix)

    async def schedule(self) -> SchedulerStatus:
        """For those who see everything."""
        self.require_all_regions()
        return await self._hub.schedule()

    async def plan(self, camera_id: str) -> CameraPlanReport:
        """Raises NotFoundError for a camera of another region."""
        if not await self._sees(camera_id):
            raise no_camera(camera_id)
        return await self._hub.plan(camera_id)

    async def pause(self, pause: Pause) -> PauseStatus:
        """Pause the patrol of a scope.

        Raises NotFoundError for a camera of another region, DeniedError for a region beyond the caller's, and for a
        recorder or platform, which regions may share, unless the token is of all regions.
        """
        await self._check_pause_scope(pause.scope)
        return await self._changing.pause(pause)

    async def resume(self, scope: PauseScope) -> PauseStatus:
        """Resume the patrol of a scope; raises as `pause` does."""
        await self._check_pause_scope(scope)
        return await self._changing.resume(scope)

    async def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        """Draw canteens of the caller's region. Raises NotFoundError if the requested region has no part in it."""
        prefix = self._narrowed(order.region_prefix)
        if prefix is None:
            raise NotFoundError(
                f"no canteen of region {order.region_prefix!r} can be drawn (cameras left out: none); import enabled "
                "cameras with site_id or site_name and region",
                reason=ErrorReason.NOTHING_TO_DRAW,
                metadata={"region": order.region_prefix},
            )
        return await self._changing.draw_spot_check(replace(order, region_prefix=prefix))

    async def spot_check(self, draw_id: int) -> SpotCheck | None:
        """Return a spot check that was drawn from within the caller's region (0: the latest); None if there is none."""
        if not draw_id:
            latest = next(iter(await self.spot_checks()), None)
            return None if latest is None else await self._hub.spot_check(latest.draw_id)
        check = await self._hub.spot_check(draw_id)
        return self._seen(check if check is not None and self._actor.sees(check.header.region_prefix) else None)

    async def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """Return the spot checks that were drawn from within the caller's region."""
        return tuple(header for header in await self._hub.spot_checks() if self._actor.sees(header.region_prefix))

    async def kpis(self, query: KpiQuery) -> KpiTable:
        """Return a page of KPIs of the caller's region. Raises InvalidArgumentError for a bad page token."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return KpiTable(query.by, (), KpiRow(query.region_prefix, {}, Counts(), days=0))
        try:
            return await self._hub.kpis.table(replace(query, region_prefix=prefix))
        except ValueError as error:
            raise InvalidArgumentError("page_token", str(error), reason=ErrorReason.PAGE_TOKEN_INVALID) from error

    async def league(self, query: LeagueQuery) -> LeagueTable:
        """Return the league table of the caller's region; places count only what the caller sees."""
        prefix = self._narrowed(query.region_prefix)
        if prefix is None:
            return LeagueTable(query.kpi, ())
        return await self._hub.kpis.league(replace(query, region_prefix=prefix))

    async def canteen(self, canteen_id: str) -> Canteen | None:
        """Return a canteen as far as the caller's region and role show it; None if its region has none of this id."""
        canteen = self._seen(await self._hub.canteens.canteen(canteen_id, self._region))
        return None if canteen is None else self._shown(canteen)

    async def canteens(self, query: CanteenQuery) -> CanteenPage:
        """Return a page of canteens as far as the caller's region and role show them."""
        page = await self._hub.canteens.canteens(query, self._region)
        return replace(page, canteens=tuple(map(self._shown, page.canteens)))

    async def store_canteen(self, canteen: StoredCanteen) -> None:
        """Store a canteen. Raises InvalidArgumentError if its region, or its id, is not for the caller to use."""
        if not self._actor.sees(canteen.region):
            self._hide(True)
            allowed = f"allowed: {self._region} and what lies within"
            raise InvalidArgumentError("canteen.region", f"{canteen.region!r} is not of this token; {allowed}")
        owner = await self._hub.canteens.owner(canteen.canteen_id)
        if not self._may_use(canteen.canteen_id, owner):
            self._hide(True)
            raise InvalidArgumentError("canteen.name", self._own_names("ids"))
        await self._changing.canteens.store(canteen)

    def _shown(self, canteen: Canteen) -> Canteen:
        """Leave out the telephone number, which is personal, for those who only read."""
        if self._actor.role.includes(Role.INSPECTOR):
            return canteen
        return replace(canteen, details=replace(canteen.details, phone=""))

    async def create_token(self, order: TokenOrder) -> tuple[Token, str]:
        """Create a token. Raises DeniedError unless its region lies within the caller's, InvalidArgumentError unless
        its name begins with the caller's region: with any other it might learn that somebody elsewhere has it."""
        if not self._actor.sees(order.region):
            raise DeniedError(
                f"region {order.region!r} is not within that of your token, {self._region}; give one that is",
                reason=ErrorReason.REGION_NOT_ALLOWED,
                metadata={"region": self._region, "region_needed": order.region},
            )
        refused = InvalidArgumentError("token.display_name", f"{order.name!r} {self._own_names('names')}")
        if not order.name.startswith(self._region):
            raise refused
        try:
            return await self._changing.create_token(order, self._actor)
        except ExistsError as error:
            namesakes = [token for token in await self.tokens() if token.name == order.name]
            if any(token.is_valid(wall_ns()) for token in namesakes):
                raise
            raise refused from error  # it is a token of another region that has this name

    async def tokens(self) -> tuple[Token, ...]:
        """Return the tokens whose region lies within the caller's."""
        return tuple(token for token in await self._hub.tokens() if self._actor.sees(token.region))

    async def revoke_token(self, token_id: int) -> Token | None:
        """Revoke a token; None if there is none, or its region lies outside the caller's."""
        visible = {token.token_id for token in await self.tokens()}
        self._hide(token_id not in visible)
        return await self._changing.revoke_token(token_id) if token_id in visible else None

    async def audit_entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """Return entries of the audit log by actors whose region lies within the caller's."""
        return await self._hub.audit_entries(replace(query, region_prefix=self._region))

    async def _sees(self, camera_id: str) -> bool:
        return not self._region or await self.camera(camera_id) is not None

    async def _own(self, camera_ids: Sequence[str]) -> list[str]:
        """The ids of cameras of the caller's region; a token of all regions has unknown ids among them."""
        if not self._region:
            return list(camera_ids)
        regions = await self._hub.regions(camera_ids)
        own = {camera_id for camera_id, region in regions.items() if self._actor.sees(region)}
        self._hide(len(own) < len(set(camera_ids)))
        return [camera_id for camera_id in camera_ids if camera_id in own]

    def _may_use(self, resource_id: str, region: str | None) -> bool:
        """Whether the caller may store a camera or canteen with this id. `region`: of the one with it; None: none has.

        New ids begin with the caller's region: with any other it might learn that one elsewhere has it.
        """
        return resource_id.startswith(self._region) if region is None else self._actor.sees(region)

    def _own_names(self, what: str) -> str:
        return f"cannot be given with this token, which is of region {self._region}; give new {what} that begin with it"

    def _show(self, camera_id: str, picture: RenderedPicture | None) -> RenderedPicture | None:
        """Note that a caller is shown a picture, unless it is told that it has it already."""
        if picture is not None and not picture.not_modified:
            self._shown_pictures.append(verdict_name(camera_id, picture.visit_id))
        return picture

    async def _check_pause_scope(self, scope: PauseScope) -> None:
        if scope.kind is PauseKind.CAMERA:
            if await self.camera(scope.value) is None:
                raise no_camera(scope.value)
        elif scope.kind is not PauseKind.REGION or not self._actor.sees(scope.value):
            self.require_all_regions()


def _in_order(requested: Sequence[str], own: Sequence[str], unknown: Sequence[str]) -> tuple[str, ...]:
    """The unknown ids and those of other regions, in the order of the request."""
    known = set(own) - set(unknown)
    return tuple(camera_id for camera_id in requested if camera_id not in known)
