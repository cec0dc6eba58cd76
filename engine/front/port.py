"""Answers at the front what no single shard can: lists, sums, draws, from the database and from its replica."""

import asyncio
from collections.abc import AsyncGenerator

from engine import __version__
from engine.clock import wall_ns
from engine.config.calendar import Calendar
from engine.config.schema import Settings
from engine.front.replica import Replica
from engine.hub.reads import Reads
from engine.hub.services.canteens import CanteenService
from engine.hub.services.configurations import rehearse
from engine.hub.services.digests import DigestService
from engine.hub.services.finding_reads import FindingReads
from engine.hub.services.kpis import kpi_table, league_table
from engine.hub.services.rehearsals import Rehearsals
from engine.hub.services.spot_checks import SpotCheckService
from engine.interchange.regions import hebei
from engine.judge.rules import RULES_VERSION
from engine.model.engine_status import EngineStatus
from engine.model.kpi import KpiQuery, KpiTable, LeagueQuery, LeagueTable
from engine.model.rehearsal import RehearsalUpdate
from engine.serve.forwarding.questions import ShardQuestions
from engine.storage.db.kpis import Kpis
from engine.storage.db.store import Store


class KpiReads:
    """Implements engine.serve.port.KpiPort from the database."""

    def __init__(self, record: Kpis) -> None:
        self._record = record

    async def table(self, query: KpiQuery) -> KpiTable:
        """Return KPIs. Raises ValueError for a page token that is not of this list."""
        return await asyncio.to_thread(kpi_table, self._record, query)

    async def league(self, query: LeagueQuery) -> LeagueTable:
        """Return a league table."""
        return await asyncio.to_thread(league_table, self._record, query)


class FrontConfiguration:
    """Rehearses on the cameras of all shards what the front's own configuration file would become."""

    def __init__(self, settings: Settings, calendar: Calendar, replica: Replica) -> None:
        self._settings = settings
        self._calendar = calendar
        self._replica = replica
        self._rehearsals = Rehearsals()

    def rehearse_config(self, text: str, hours: int, seed: int) -> AsyncGenerator[RehearsalUpdate, None]:
        """Yield how far the rehearsal is, at last with its result. Raises as ConfigurationService.rehearse_config."""
        cameras = list(self._replica.registry.cameras.values())
        return rehearse(self._rehearsals, self._settings, self._calendar, cameras, text, hours, seed)


class FrontPort(Reads):
    """The part of engine.serve.port.HubPort that calls reach which the front answers itself; all others are passed on
    before (engine.serve.forwarding)."""

    def __init__(
        self, settings: Settings, calendar: Calendar, store: Store, replica: Replica, questions: ShardQuestions
    ) -> None:
        spot_checks = SpotCheckService(store.spot_checks, lambda: settings.scheduler, questions.check_now)
        super().__init__(store, replica.registry, replica.catalog, spot_checks)
        self._calendar = calendar
        self._questions = questions
        self._started_wall_ns = wall_ns()
        self.ledger = FindingReads(store.findings)
        self.kpis = KpiReads(store.kpis)
        self.canteens = CanteenService(store.canteens, replica.registry, replica.catalog)
        self.digests = DigestService(store, calendar.timezone, hebei())
        self.configurations = FrontConfiguration(settings, calendar, replica)

    async def status(self, region_prefix: str) -> EngineStatus:
        """Return the cameras of a region, and how the patrol goes on all machines that answer."""
        by_state = self._registry.by_state(region_prefix)
        return EngineStatus(
            version=__version__,
            rules_version=RULES_VERSION,
            started_wall_ns=self._started_wall_ns,
            cameras=sum(by_state.values()),
            cameras_enabled=self._registry.enabled(region_prefix),
            cameras_by_state=by_state,
            machine=await self._questions.machine(),
            time_zone=self._calendar.timezone,
            now_wall_ns=wall_ns(),
        )
