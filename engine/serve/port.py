"""What the services ask of the hub. Anything they raise as PatrolError becomes a gRPC status; see errors.py."""

from collections.abc import Sequence
from typing import Protocol

from engine.actors import Actor
from engine.findings import Finding, FindingCommand, FindingPage, FindingQuery, LedgerEvent
from engine.indicators import KpiQuery, KpiTable, LeagueQuery, LeagueTable
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
    SchedulerStatus,
    SpotCheck,
    SpotCheckHeader,
    SpotCheckOrder,
    SpotCheckReport,
)
from engine.types import Camera


class HubPort(Protocol):
    """The hub, as callers see it. All calls come from the server's event loop."""

    async def import_cameras(self, cameras: Sequence[Camera], keep_good: bool) -> ImportReport:
        """Add and change cameras; all or none, unless `keep_good`."""

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget cameras; how many there were, and the ids not known."""

    async def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Forget what cameras usually show; how many there were, and the ids not known."""

    async def check_now(self, camera_ids: Sequence[str]) -> CheckNowReport:
        """Visit cameras as soon as the caps allow."""

    async def camera(self, camera_id: str) -> CameraStatus | None:
        """One camera."""

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        """A page of cameras."""

    async def picture(self, camera_id: str, visit_id: int, side_px_max: int) -> RenderedPicture | None:
        """The kept keyframe as JPEG."""

    async def status(self) -> EngineStatus:
        """How the patrol goes."""

    async def schedule(self) -> SchedulerStatus:
        """How the patrol keeps its periods."""

    async def plan(self, camera_id: str) -> CameraPlanReport:
        """Why a camera is due when it is; RegistryError for an unknown id."""

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool) -> ConfigReport:
        """Take a TOML configuration, or say what it would change; ConfigError, ConflictError."""

    async def finding(self, finding_id: int) -> Finding | None:
        """One finding; None if there is none."""

    async def findings(self, query: FindingQuery) -> FindingPage:
        """A page of findings, newest first."""

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        """All events of a finding; empty if there is none such."""

    async def act(self, command: FindingCommand, actor: Actor) -> Finding:
        """Do what a caller wants to a finding; answered when it is committed.

        NotFoundError for one that is not there or not in the actor's region; CommandError, ForbiddenError and
        ConflictError for what may not be done; StoreError while the database is away.
        """

    async def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        """Draw canteens; NotFoundError if there are none, ConflictError while another draw is under way."""

    async def spot_check(self, draw_id: int) -> SpotCheck | None:
        """One draw, 0 the latest; None if it is not kept."""

    async def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        """The draws that are kept, newest first."""

    async def kpis(self, query: KpiQuery) -> KpiTable:
        """KPIs by region and day; ValueError for a page token that is none of the list."""

    async def kpi_league(self, query: LeagueQuery) -> LeagueTable:
        """The league table of counties, cities or provinces."""
