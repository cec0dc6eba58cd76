"""The ports of the API: what its services may call in the hub, and where tokens and the audit log are stored.

Every PatrolError becomes a gRPC status; see status.py. Services never see the hub itself, but a ScopedHub, which calls
it on behalf of one caller.
"""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from engine.model.access import Actor, AuditEntry, AuditQuery, Token, TokenOrder
from engine.model.camera import Camera
from engine.model.canteen import Canteen, CanteenPage, CanteenQuery, StoredCanteen
from engine.model.config_report import ConfigReport, EngineConfig
from engine.model.dialogue import TraceLine
from engine.model.digest import DigestQuery, DigestReport
from engine.model.engine_status import EngineStatus
from engine.model.findings import (
    Finding,
    FindingCommand,
    FindingPage,
    FindingQuery,
    FindingSummary,
    GroupBy,
    LedgerEvent,
)
from engine.model.kpi import KpiQuery, KpiTable, LeagueQuery, LeagueTable
from engine.model.photograph import Photograph
from engine.model.picture import FindingPicture, RenderedPicture
from engine.model.registry import CameraCount, CameraPage, CameraQuery, CameraStatus, ImportReport, Region, RegionLevel
from engine.model.rehearsal import RehearsalUpdate
from engine.model.schedule import CameraPlanReport, Pause, PauseScope, PauseStatus, SchedulerStatus
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.stories.story import CameraStory
from engine.model.verdict import LoggedVerdict, Verdict
from engine.model.viewing import Viewer
from engine.model.visit import CheckNowReport


class PushPort(Protocol):
    """What gateways pushed to fronts, at the engine of a shard."""

    async def take(self, raw: bytes) -> bytes:
        """Take keyframes, as PassedOnKeyframes of feed.proto; return KeptKeyframes."""


class HubPort(Protocol):
    """The hub. All calls come from the server's event loop."""

    @property
    def ledger(self) -> "LedgerPort":
        """The findings."""

    @property
    def configurations(self) -> "ConfigurationPort":
        """The configuration."""

    @property
    def kpis(self) -> "KpiPort":
        """The KPIs."""

    @property
    def digests(self) -> "DigestPort":
        """The digests."""

    @property
    def pictures(self) -> "PicturePort":
        """The pictures."""

    @property
    def photographs(self) -> "PhotographPort":
        """The photographs of claims."""

    @property
    def viewers(self) -> "ViewersPort":
        """Who has which finding open."""

    @property
    def canteens(self) -> "CanteenPort":
        """The canteens."""

    async def import_cameras(
        self, cameras: Sequence[Camera], keep_good: bool, validate_only: bool = False
    ) -> ImportReport:
        """Add and change cameras; if any row is bad, none, or with `keep_good` all good rows.

        `validate_only`: change nothing, and report what would change.
        """

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Remove cameras from the registry; return how many were removed, and the ids that are not known."""

    async def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Learn the baselines of cameras anew; return how many were reset, and the ids that are not known."""

    async def check_now(self, camera_ids: Sequence[str], trace: bool = False) -> CheckNowReport:
        """Visit cameras as soon as the caps allow. `trace`: record what is said, until `forget_dialogues`."""

    async def dialogue(self, camera_id: str, visit_id: int) -> Sequence[TraceLine]:
        """Return what engine and camera said in a visit that is traced; empty if that is not known."""

    async def forget_dialogues(self, camera_ids: Sequence[str]) -> None:
        """Record no more what these cameras say, and drop what was recorded."""

    async def camera(self, camera_id: str) -> CameraStatus | None:
        """Return a camera with its latest verdict; None if it is not in the registry."""

    async def regions(self, camera_ids: Sequence[str]) -> Mapping[str, str]:
        """Return the region of each camera that is in the registry, by id."""

    async def on_foreign_uplinks(self, cameras: Sequence[Camera], region_prefix: str) -> set[str]:
        """Return the ids of those of these rows whose uplink has cameras outside of a region, and is new to them."""

    async def story(self, camera_id: str) -> CameraStory:
        """Return what happened to a camera lately; without events while it is quietly ok."""

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """Return a page of cameras. Raises ValueError if `after` is no place in this order."""

    async def count_cameras(self, query: CameraQuery, level: RegionLevel) -> tuple[Sequence[CameraCount], CameraCount]:
        """Return the numbers of cameras by region, and in all; page and order of the query do not matter."""

    async def verdict(self, camera_id: str, visit_id: int) -> Verdict | None:
        """Return the verdict of a visit, or with 0 the latest; None if it is not kept."""

    async def verdicts(self, camera_id: str, before_seq: int, limit: int) -> Sequence[LoggedVerdict]:
        """Return at most `limit` verdicts on a camera, newest first, below `before_seq` (0: from the newest on)."""

    async def status(self, region_prefix: str) -> EngineStatus:
        """Return the state of the engine; cameras are counted within the region."""

    async def list_regions(self, region_prefix: str) -> Sequence[Region]:
        """Return every province, city and county that has cameras and begins with the prefix, by code."""

    async def schedule(self) -> SchedulerStatus:
        """Return the state of the scheduler."""

    async def plan(self, camera_id: str) -> CameraPlanReport:
        """Return when a camera is due, and why. Raises NotFoundError for an unknown id."""

    async def pause(self, pause: Pause) -> PauseStatus:
        """Stop visiting the cameras of a scope."""

    async def resume(self, scope: PauseScope) -> PauseStatus:
        """Visit the cameras of a scope again. Raises NotFoundError if it is not paused."""

    async def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        """Draw canteens. Raises NotFoundError if there are none, ConflictError while another draw is under way."""

    async def spot_check(self, draw_id: int) -> SpotCheck | None:
        """Return a draw, or with 0 the latest; None if it is not kept."""

    async def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """Return the draws that are kept, newest first."""

    async def create_token(self, order: TokenOrder, creator: Actor) -> tuple[Token, str]:
        """Create a token; return it, and its secret. Raises ExistsError if a valid token has the same name."""

    async def tokens(self) -> tuple[Token, ...]:
        """Return all tokens that are kept, valid or not, by number."""

    async def revoke_token(self, token_id: int) -> Token | None:
        """Revoke a token; None if there is none of this number."""

    async def audit_entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """Return entries of the audit log, newest first."""


class ConfigurationPort(Protocol):
    """The configuration."""

    async def config(self) -> EngineConfig:
        """Return the configuration in force."""

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return the problems of a TOML configuration, which make it unusable, and its warnings."""

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool, who: str) -> ConfigReport:
        """Apply a TOML configuration on behalf of `who`; with `dry_run` report only what it would change.

        Raises ConfigError if it is not usable, ConflictError if the revision in force is not `expected_revision`,
        StoreError if a shard cannot store it; nothing is changed then.
        """

    def rehearse_config(self, text: str, hours: int, seed: int) -> AsyncGenerator[RehearsalUpdate, None]:
        """Yield how far the rehearsal of a TOML configuration is, at last with its result; closing it ends it.

        Raises ConfigError if it is not usable, UnavailableError while another is under way or if there is no result,
        StateError if no camera is visited, TimeoutError if it takes too long.
        """


class LedgerPort(Protocol):
    """The ledger of findings."""

    async def finding(self, finding_id: int) -> Finding | None:
        """Return a finding; None if there is none of this number."""

    async def findings(self, query: FindingQuery) -> FindingPage:
        """Return a page of findings."""

    async def finding_summary(self, query: FindingQuery, tables: Sequence[tuple[GroupBy, ...]]) -> FindingSummary:
        """Count the findings of a query: all of them, and grouped in each of the ways of `tables`."""

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """Return the events of a finding, oldest first."""

    async def check(self, command: FindingCommand, actor: Actor) -> Finding | None:
        """Return the finding if this command was carried out before; None if it may be carried out now.

        Changes nothing. Raises as `act`.
        """

    async def act(self, command: FindingCommand, actor: Actor) -> Finding:
        """Carry out a command on a finding; return the finding once the event is stored.

        Raises NotFoundError if there is none, StateError if its state does not allow the command, ConflictError if
        more has happened to it than the command expects, DeniedError if the actor's role does not allow it.
        """

    async def findings_of(self, finding_ids: Sequence[int]) -> Mapping[int, Finding]:
        """Return those findings that exist, by number."""

    async def act_all(self, commands: Sequence[FindingCommand], actor: Actor) -> tuple[Finding | Exception, ...]:
        """Carry out commands, each by itself; return what `act` would return or raise for each, in their order."""


class KpiPort(Protocol):
    """The KPIs."""

    async def table(self, query: KpiQuery) -> KpiTable:
        """Return a page of KPIs. Raises ValueError if the page token is none of this query's."""

    async def league(self, query: LeagueQuery) -> LeagueTable:
        """Return regions ordered by a KPI."""


class DigestPort(Protocol):
    """The digests."""

    async def digest(self, query: DigestQuery) -> DigestReport:
        """Make a digest.

        Raises InvalidArgumentError for a period that is still to come, UnavailableError if too many callers wait.
        """


class PicturePort(Protocol):
    """Pictures, rendered from the keyframes that are kept. `if_none_match`: etags of pictures that the caller has.

    All raise IntegrityError if a keyframe has changed or gives no picture, UnavailableError if no worker is free.
    """

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
        """Return the kept keyframe as JPEG, with `sha256` the exhibit of this name; None if it is not kept."""

    async def finding_picture(
        self,
        finding: Finding,
        events: Sequence[LedgerEvent],
        event_number: int,
        which: FindingPicture,
        side_px_max: int,
        *,
        annotated: bool = False,
        if_none_match: str = "",
    ) -> RenderedPicture:
        """Return a picture of a finding as JPEG. Raises NotFoundError, with the reason, if none is kept."""

    async def thumbnail(self, camera_id: str, side_px_max: int, if_none_match: str) -> RenderedPicture | None:
        """Return a small JPEG of the latest picture; None if none is kept."""


class PhotographPort(Protocol):
    """Photographs that come with claims."""

    def kept(self, files: Sequence[bytes]) -> AbstractAsyncContextManager[tuple[str, ...]]:
        """Keep photographs while a claim cites them; give their SHA-256. The events that cite them keep them on.

        Raises InvalidArgumentError if a file gives no picture, UnavailableError if no worker is free, StoreError if
        they cannot be kept.
        """

    async def photograph(self, sha256: str, if_none_match: str) -> Photograph | None:
        """Return a photograph that came with a claim; None if it is not kept."""


class ViewersPort(Protocol):
    """Who has which finding open."""

    def mark(self, finding_id: int, name: str, viewing: bool) -> tuple[Viewer, ...]:
        """Note that somebody has a finding open, or no longer has; return its viewers, the earliest mark first."""

    def of(self, finding_ids: Iterable[int]) -> Mapping[int, tuple[Viewer, ...]]:
        """Return the viewers of each of these findings, the earliest mark first."""


class CanteenPort(Protocol):
    """Canteens. `scope`: the region of the caller; only cameras and details within it count."""

    async def canteen(self, canteen_id: str, scope: str) -> Canteen | None:
        """Return a canteen; None if the scope has no camera of it, and it is not stored for the scope."""

    async def canteens(self, query: CanteenQuery, scope: str) -> CanteenPage:
        """Return a page of canteens."""

    async def owner(self, canteen_id: str) -> str | None:
        """Return the region that a canteen's details are stored for, or else that of its cameras; None: no canteen."""

    async def store(self, canteen: StoredCanteen) -> None:
        """Store a canteen; one without cameras and details is removed. Raises StateError if there are too many."""


class AccessStore(Protocol):
    """Where tokens and the audit log are stored. Called in threads. All methods raise StoreError."""

    def digests(self) -> dict[bytes, Token]:
        """Return every token that was ever made, by the SHA-256 of its secret."""

    def places_key(self) -> bytes:
        """Return the key of 64 bytes that encrypts places in tokens; it stays the same over restarts."""

    def note(self, entry: AuditEntry) -> int:
        """Append an entry to the audit log; return its number."""

    def conclude(self, entry: AuditEntry) -> None:
        """Set outcome and subject of the entry with this number; its time stays."""

    def withdraw(self, entry_id: int) -> None:
        """Delete the entry with this number, of a change that was refused and is counted in another entry."""

    def prune(self, change_methods: Sequence[str], changes_before_ns: int, others_before_ns: int) -> int:
        """Delete some entries that are older; return how many, 0 if none are left.

        `change_methods`: methods whose calls are changes; others (refused calls, pictures shown) have another age.
        """
