"""What the services ask of the hub. Anything that is raised as PatrolError becomes a gRPC status; see status.py.

Services never see the hub itself, but scope.Scoped, which asks it on behalf of one caller.
"""

from collections.abc import Mapping, Sequence
from typing import Protocol

from engine.model.access import Actor, AuditEntry, AuditQuery, Token, TokenOrder
from engine.model.camera import Camera
from engine.model.config_report import ConfigReport
from engine.model.engine_status import EngineStatus
from engine.model.findings import Finding, FindingCommand, FindingPage, FindingQuery, LedgerEvent
from engine.model.kpi import KpiQuery, KpiTable, LeagueQuery, LeagueTable
from engine.model.picture import RenderedPicture
from engine.model.registry import CameraPage, CameraQuery, CameraStatus, ImportReport
from engine.model.schedule import CameraPlanReport, Pause, PauseScope, PauseStatus, SchedulerStatus
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.verdict import LoggedVerdict, Verdict
from engine.model.visit import CheckNowReport


class HubPort(Protocol):
    """The hub, as callers see it. All calls come from the server's event loop."""

    @property
    def ledger(self) -> "LedgerPort":
        """The findings."""

    @property
    def indicators(self) -> "KpiPort":
        """The KPIs."""

    async def import_cameras(
        self, cameras: Sequence[Camera], keep_good: bool, validate_only: bool = False
    ) -> ImportReport:
        """Add and change cameras; all or none, unless `keep_good`."""

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget cameras; how many there were, and the ids not known."""

    async def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget what cameras usually show; how many there were, and the ids not known."""

    async def check_now(self, camera_ids: Sequence[str]) -> CheckNowReport:
        """Visit cameras as soon as the caps allow."""

    async def camera(self, camera_id: str) -> CameraStatus | None:
        """One camera."""

    async def regions(self, camera_ids: Sequence[str]) -> Mapping[str, str]:
        """The regions of those that are known."""

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """A page of cameras."""

    async def verdict(self, camera_id: str, visit_id: int) -> Verdict | None:
        """One verdict, 0 the latest; None if it is not kept."""

    async def verdicts(self, camera_id: str, before_seq: int, limit: int) -> Sequence[LoggedVerdict]:
        """Verdicts on a camera, newest first, below `before_seq` (0: from the newest)."""

    async def picture(
        self, camera_id: str, visit_id: int, side_px_max: int, *, annotated: bool = False, sha256: str = ""
    ) -> RenderedPicture | None:
        """The kept keyframe as JPEG; with `sha256` the exhibit of this name; IntegrityError if its bits changed."""

    async def status(self, region_prefix: str) -> EngineStatus:
        """How the patrol goes; the cameras of a region."""

    async def schedule(self) -> SchedulerStatus:
        """How the patrol keeps its periods."""

    async def plan(self, camera_id: str) -> CameraPlanReport:
        """Why a camera is due when it is; NotFoundError for an unknown id."""

    async def pause(self, pause: Pause) -> PauseStatus:
        """Visit no cameras of a scope."""

    async def resume(self, scope: PauseScope) -> PauseStatus:
        """Visit them again; NotFoundError if it is not paused."""

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """What is wrong with a TOML configuration, and what the operator should know of it."""

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool) -> ConfigReport:
        """Take a TOML configuration, or say what it would change; ConfigError, ConflictError."""

    async def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        """Draw canteens; NotFoundError if there are none, ConflictError while another draw is under way."""

    async def spot_check(self, draw_id: int) -> SpotCheck | None:
        """One draw, 0 the latest; None if it is not kept."""

    async def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """The draws that are kept, newest first."""

    async def create_token(self, order: TokenOrder, creator: Actor) -> tuple[Token, str]:
        """A new token, and its secret; ExistsError if one that holds has this name."""

    async def tokens(self) -> tuple[Token, ...]:
        """All that were ever made and are kept, by number."""

    async def revoke_token(self, token_id: int) -> Token | None:
        """The token holds no longer; None if there is none."""

    async def audit_entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """Changes, newest first."""


class LedgerPort(Protocol):
    """The ledger, as callers see it."""

    async def finding(self, finding_id: int) -> Finding | None:
        """One finding."""

    async def findings(self, query: FindingQuery) -> FindingPage:
        """A page of findings."""

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """What happened to a finding, oldest first."""

    async def act(self, command: FindingCommand, actor: Actor) -> Finding:
        """Have something happen to a finding; answers once it is stored. NotFoundError, StateError, ConflictError."""


class KpiPort(Protocol):
    """The KPIs, as callers see them."""

    async def table(self, query: KpiQuery) -> KpiTable:
        """A page of KPIs; ValueError for a page token that is none of the list."""

    async def league(self, query: LeagueQuery) -> LeagueTable:
        """Who does best."""


class AccessStore(Protocol):
    """Where tokens and the audit log are kept. Called in threads."""

    def digests(self) -> dict[bytes, Token]:
        """Every token that was ever made, by the SHA-256 of its secret."""

    def note(self, entry: AuditEntry) -> None:
        """One line of the audit log. Raises StoreError."""

    def prune(self, before_wall_ns: int) -> int:
        """Forget some entries that are older; how many. 0: none are left."""
