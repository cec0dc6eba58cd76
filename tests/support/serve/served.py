"""Runs the gRPC server alone, on a real store and a fake hub."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Any

from engine.client import PatrolClient
from engine.clock import wall_ns
from engine.config.serve import ServeSettings
from engine.errors import ConflictError, NotFoundError, PatrolError, StateError
from engine.feed.camera_url import check_url
from engine.hub.catalog import Catalog
from engine.hub.registry import Registry
from engine.hub.services.canteens import CanteenService
from engine.hub.services.viewers import Viewers
from engine.hub.uplink_owners import on_foreign_uplinks
from engine.hub.verdict_log import VerdictLog
from engine.interchange.regions import hebei
from engine.interchange.registry_rules import check_cameras
from engine.metrics import Metrics
from engine.model.access import Actor, AuditEntry, AuditQuery, Token, TokenOrder
from engine.model.camera import Camera
from engine.model.dialogue import TraceLine
from engine.model.digest import DigestLine, DigestQuery, DigestReport, DigestTally
from engine.model.engine_status import EngineStatus, MachineStatus
from engine.model.findings import (
    Finding,
    FindingCommand,
    FindingCount,
    FindingCounts,
    FindingCursor,
    FindingPage,
    FindingQuery,
    FindingState,
    FindingSummary,
    GroupBy,
    LedgerEvent,
    Level,
    LoggedEvent,
    Step,
    Subject,
)
from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.registry import CameraCount, CameraPage, CameraQuery, CameraStatus, ImportReport, Region, RegionLevel
from engine.model.schedule import CameraPlanReport, Pause, PauseScope, PauseStatus, SchedulerStatus
from engine.model.spot_check import SpotCheck, SpotCheckHeader, SpotCheckOrder, SpotCheckReport
from engine.model.stories.story import CameraStory, StoryEvent, StoryStep
from engine.model.verdict import Cause, FaultKind, LoggedVerdict, PublishedVerdict, Severity, State, Verdict
from engine.model.visit import CheckNowReport
from engine.redact import redact_url
from engine.serve.access.not_found import no_camera
from engine.serve.server import GrpcServer
from engine.serve.services import findings as finding_service
from engine.serve.services import patrol as patrol_service
from engine.serve.streams.broadcast import Broadcast
from engine.serve.streams.filters import matches_finding
from engine.storage.db.store import Store, VisitRecord
from tests.support.serve.configurations import Configurations
from tests.support.serve.kpis import Kpis
from tests.support.serve.pictures import Photographs, Pictures

MINUTE_NS = 60 * 1_000_000_000
VERDICT = Verdict(
    "c1", 1001, 5, State.FAULT, (FaultKind.BLURRED,), "", "d", State.FAULT, (FaultKind.FROZEN,), 4,
    Scores(1.5, None, 3.0), {"luma_mean": 2.0}, {"limit": 1.0}, "1", 640, 480, Codec.H265,
    Cause.DEFOCUS, Cause.PICTURE_STILL, Severity.BLIND, 0.75, (3, 143),
)  # fmt: skip
STATUS = EngineStatus("v", "r", 7, 25, 24, {"ok": 25}, MachineStatus(1, 2, 3, 4, 5, 6.5, 7.5), "Asia/Urumqi")


class Ledger:
    """Findings in a dictionary, and the log of their events."""

    def __init__(self) -> None:
        self.all: dict[int, Finding] = {}
        self.log: list[LoggedEvent] = []
        self.watch: Broadcast[LoggedEvent] | None = None

    def open(self, camera: Camera) -> Finding:
        number, now_ns = len(self.all) + 1, wall_ns()
        subject = Subject.of_camera(camera, "covered")
        deadline_ns = now_ns + MINUTE_NS
        finding = Finding(number, subject, FindingState.OPEN, Severity.BLIND, Level.SCHOOL, deadline_ns, now_ns, now_ns)
        event = LedgerEvent(
            number, 1, Step.OPENED, now_ns, "engine", severity=Severity.BLIND, level=Level.SCHOOL,
            deadline_wall_ns=deadline_ns,
        )  # fmt: skip
        self._put(finding, event)
        return finding

    async def finding(self, finding_id: int) -> Finding | None:
        return self.all.get(finding_id)

    async def findings(self, query: FindingQuery) -> FindingPage:
        """In the order of their numbers only; tests of the store have the others."""
        found = sorted(
            (finding for finding in self.all.values() if matches_finding(query, finding)),
            key=lambda finding: -finding.finding_id,
        )
        left = [finding for finding in found if query.after is None or finding.finding_id < query.after.finding_id]
        page = left[: query.page_size]
        mark = FindingCursor(page[-1].finding_id) if len(left) > len(page) else None
        return FindingPage(tuple(page), mark, len(found))

    async def finding_summary(self, query: FindingQuery, tables: Sequence[tuple[GroupBy, ...]]) -> FindingSummary:
        """Counts by region only; tests of the store have the others."""
        regions = Counter(finding.subject.region for finding in self.all.values() if matches_finding(query, finding))
        groups = tuple(FindingCount(region, count=number) for region, number in regions.items())
        return FindingSummary(
            FindingCount(count=sum(regions.values())), tuple(FindingCounts(by, groups) for by in tables)
        )

    async def findings_of(self, finding_ids: Sequence[int]) -> Mapping[int, Finding]:
        return {finding_id: self.all[finding_id] for finding_id in finding_ids if finding_id in self.all}

    async def finding_events(self, finding_id: int) -> tuple[LedgerEvent, ...]:
        return tuple(entry.event for entry in self.log if entry.event.finding_id == finding_id)

    async def check(self, command: FindingCommand, actor: Actor) -> Finding | None:
        if self.all[command.finding_id].state.ended:
            raise StateError(f"finding {command.finding_id} is {self.all[command.finding_id].state}")
        return None

    async def act(self, command: FindingCommand, actor: Actor) -> Finding:
        finding = self.all[command.finding_id]
        if command.expected_number not in (0, finding.number):
            raise ConflictError(f"finding {finding.finding_id} has moved on to event {finding.number}")
        if finding.state.ended is not (command.step is Step.REOPENED):
            raise StateError(f"finding {finding.finding_id} is {finding.state}")
        special = {Step.CLAIMED: FindingState.RECTIFIED, Step.REOPENED: finding.standing}
        state = special.get(command.step) or FindingState(command.step.value)
        after = replace(finding, state=state, number=finding.number + 1, changed_wall_ns=wall_ns())
        self._put(
            after,
            LedgerEvent(
                finding.finding_id,
                after.number,
                command.step,
                wall_ns(),
                actor.name,
                actor.role,
                command.why,
                photographs=command.photographs,
            ),
        )
        return after

    async def act_all(self, commands: Sequence[FindingCommand], actor: Actor) -> tuple[Finding | Exception, ...]:
        outcomes: list[Finding | Exception] = []
        for command in commands:
            try:
                outcomes.append(await self.act(command, actor))
            except PatrolError as error:
                outcomes.append(error)
        return tuple(outcomes)

    async def span(self) -> tuple[int, int]:
        return 0, len(self.log)

    async def after(self, seq: int, limit: int) -> Sequence[LoggedEvent]:
        return self.log[seq : seq + limit]

    def _put(self, finding: Finding, event: LedgerEvent) -> None:
        self.all[finding.finding_id] = finding
        self.log.append(LoggedEvent(len(self.log) + 1, event, finding))
        if self.watch is not None:
            self.watch.publish(self.log[-1:])


class Digests:
    """Makes an empty digest of a region that has cameras; tests of the hub's service have real ones."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    async def digest(self, query: DigestQuery) -> DigestReport:
        cameras = [
            camera for camera in self._registry.cameras.values() if camera.region.startswith(query.region_prefix)
        ]
        lines = tuple(
            DigestLine(place, region, region, {}, DigestTally())
            for place, region in enumerate(sorted({camera.region for camera in cameras}), 1)
        )
        day = query.day or date(2026, 3, 2)
        page = "<!doctype html>" if query.with_html else ""
        return DigestReport(
            query.region_prefix, "r", day, day, "UTC", 5, False, {}, {}, 0, lines, DigestTally(), {}, {}, (), html=page
        )


class FakeHub:
    """Implements HubPort on a store and dictionaries; the test supplies the verdicts."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.registry = Registry(store.registry.cameras(), {})
        self.ledger = Ledger()
        self.kpis = Kpis(self.registry)
        self.pictures = Pictures()
        self.configurations = Configurations()
        self.photographs = Photographs()
        self.viewers = Viewers()
        self.digests = Digests(self.registry)
        self.log = VerdictLog(store.history, self.registry)
        self.watch: Broadcast[PublishedVerdict] | None = None
        self.error: Exception | None = None
        self.next_visit_id = 2000
        self.checked: list[str] = []
        self.in_flight: dict[str, int] = {}
        self.pauses: dict[PauseScope, PauseStatus] = {}
        self.draws: list[SpotCheck] = []

    def put(self, *cameras: Camera) -> None:
        self.store.registry.upsert(cameras)
        self.registry.upsert(cameras)

    def judge(self, camera_id: str, visit_id: int = 0, changed: bool = True, **other: Any) -> Verdict:
        """Store and publish a verdict; return it."""
        self.next_visit_id += 1
        verdict = replace(VERDICT, camera_id=camera_id, visit_id=visit_id or self.next_visit_id, **other)
        self.write([VisitRecord(verdict, b"", changed)])
        return verdict

    def write(self, records: list[VisitRecord]) -> None:
        stored = self.log.published(self.store.write(records))
        if self.watch is not None:
            self.watch.publish(stored)

    @property
    def canteens(self) -> CanteenService:
        return CanteenService(self.store.canteens, self.registry, self._catalog())

    def _catalog(self) -> Catalog:
        latest = {camera_id: packed for camera_id, packed, _ in self.store.latest()}
        return Catalog(Registry(self.store.registry.cameras(), {}), latest)

    async def import_cameras(
        self, cameras: Sequence[Camera], keep_good: bool, validate_only: bool = False
    ) -> ImportReport:
        problems = tuple(check_cameras(cameras, lambda url: check_url(url, ("rtsp",))))
        bad = {problem.index for problem in problems}
        if problems and not keep_good:
            return ImportReport(problems=problems)
        good = [camera for index, camera in enumerate(cameras) if index not in bad]
        if validate_only:
            return ImportReport(*self.store.registry.compare(good), problems)
        counts = self.store.registry.upsert(good)
        self.registry.upsert(good)
        return ImportReport(*counts, problems)

    async def remove_cameras(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        removed = self.store.registry.remove(camera_ids)
        self.registry.remove(removed)
        return len(removed), tuple(camera_id for camera_id in camera_ids if camera_id not in removed)

    async def reset_baselines(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        known = [camera_id for camera_id in camera_ids if camera_id in self.registry.cameras]
        return len(known), tuple(camera_id for camera_id in camera_ids if camera_id not in known)

    async def dialogue(self, camera_id: str, visit_id: int) -> Sequence[TraceLine]:
        return ()

    async def forget_dialogues(self, camera_ids: Sequence[str]) -> None:
        pass

    async def check_now(self, camera_ids: Sequence[str], trace: bool = False) -> CheckNowReport:
        self.checked += camera_ids
        known = [camera_id for camera_id in camera_ids if camera_id in self.registry.cameras]
        paused = tuple(camera_id for camera_id in known if camera_id in {scope.value for scope in self.pauses})
        visited = [
            camera_id for camera_id in known if self.registry.cameras[camera_id].enabled and camera_id not in paused
        ]
        return CheckNowReport(
            accepted=tuple(visit for visit in visited if visit not in self.in_flight),
            in_flight={visit: self.in_flight[visit] for visit in visited if visit in self.in_flight},
            unknown_ids=tuple(camera_id for camera_id in camera_ids if camera_id not in known),
            not_visited_ids=tuple(camera_id for camera_id in known if not self.registry.cameras[camera_id].enabled),
            paused_ids=paused,
            first_visit_id=self.next_visit_id + 1,
        )

    async def camera(self, camera_id: str) -> CameraStatus | None:
        if self.error is not None:
            raise self.error
        return self._catalog().camera(camera_id)

    async def regions(self, camera_ids: Sequence[str]) -> Mapping[str, str]:
        known = self.registry.cameras
        return {camera_id: known[camera_id].region for camera_id in camera_ids if camera_id in known}

    async def on_foreign_uplinks(self, cameras: Sequence[Camera], region_prefix: str) -> set[str]:
        known = self.registry.cameras
        return on_foreign_uplinks(cameras, known, known.values(), region_prefix)

    async def list_cameras(self, query: CameraQuery) -> CameraPage:
        return self._catalog().page(query)

    async def count_cameras(self, query: CameraQuery, level: RegionLevel) -> tuple[Sequence[CameraCount], CameraCount]:
        return self._catalog().count(query, level.digits)

    async def verdict(self, camera_id: str, visit_id: int) -> Verdict | None:
        kept = self.store.history.of_camera(camera_id, 0, 1000)
        return next((row.verdict for row in kept if visit_id in (0, row.verdict.visit_id)), None)

    async def verdicts(self, camera_id: str, before_seq: int, limit: int) -> Sequence[LoggedVerdict]:
        return self.store.history.of_camera(camera_id, before_seq, limit)

    async def status(self, region_prefix: str) -> EngineStatus:
        number = sum(self.registry.by_state(region_prefix).values())
        return replace(STATUS, cameras=number, cameras_by_state={"ok": number}, now_wall_ns=wall_ns())

    async def list_regions(self, region_prefix: str) -> Sequence[Region]:
        return self._catalog().regions(region_prefix, hebei().label)

    async def schedule(self) -> SchedulerStatus:
        return SchedulerStatus(cameras=len(self.registry.cameras), pauses=tuple(self.pauses.values()))

    async def plan(self, camera_id: str) -> CameraPlanReport:
        if camera_id not in self.registry.cameras:
            raise no_camera(camera_id)
        return CameraPlanReport(camera_id, "ordinary", "due", 1.0, 2.0, 1.0, 0, "", None, None, True, ("so",), 0, "UTC")

    async def story(self, camera_id: str) -> CameraStory:
        event = StoryEvent(StoryStep.ANNOUNCED, 5, 7, 9, "fault", "blurred; before: ok")
        return CameraStory(camera_id, (event,), open=True, left_out=2, kept_since_wall_ns=3)

    async def pause(self, pause: Pause) -> PauseStatus:
        self.pauses[pause.scope] = PauseStatus(pause, 1)
        return self.pauses[pause.scope]

    async def resume(self, scope: PauseScope) -> PauseStatus:
        if scope not in self.pauses:
            raise NotFoundError(f"{scope.kind} {scope.value!r} is not paused")
        return self.pauses.pop(scope)

    async def draw_spot_check(self, order: SpotCheckOrder) -> SpotCheckReport:
        header = SpotCheckHeader(
            0 if order.dry_run else len(self.draws) + 1, wall_ns(), order.size, order.seed or 7, order.region_prefix,
            1.0, 0, 0,
        )  # fmt: skip
        check = SpotCheck(header, (), ())
        if not order.dry_run:
            self.draws.insert(0, check)
        return SpotCheckReport(check)

    async def spot_check(self, draw_id: int) -> SpotCheck | None:
        return next((draw for draw in self.draws if draw_id in (0, draw.header.draw_id)), None)

    async def spot_checks(self) -> tuple[SpotCheckHeader, ...]:
        return tuple(draw.header for draw in self.draws)

    async def create_token(self, order: TokenOrder, creator: Actor) -> tuple[Token, str]:
        return self.store.access.create_token(order, creator.name, wall_ns())

    async def tokens(self) -> tuple[Token, ...]:
        return self.store.access.tokens()

    async def revoke_token(self, token_id: int) -> Token | None:
        return self.store.access.revoke_token(token_id, wall_ns())

    async def audit_entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        return self.store.access.entries(query)


@dataclass
class RunningServer:
    """A server with its hub, watch and a client without a token."""

    hub: FakeHub
    watch: Broadcast[PublishedVerdict]
    metrics: Metrics
    server: GrpcServer
    address: str
    client: PatrolClient


@contextmanager
def serving(
    folder: Path,
    ring: int = 64,
    watchers_max: int = 4,
    hub: FakeHub | None = None,
    own_socket: Path | None = None,
    **settings: Any,
) -> Iterator[RunningServer]:
    """Run a server on a database in `folder`, or on `hub`."""
    own = hub or FakeHub(Store.open(f"sqlite:///{folder}/patrol.db"))
    metrics = Metrics("test")
    watch = Broadcast(own.log, patrol_service.encode_watch_event, patrol_service.encode_watch_token, ring, watchers_max)
    own.watch = watch
    findings = own.ledger.watch = Broadcast(
        own.ledger, finding_service.encode_watch_event, finding_service.encode_watch_token, ring, watchers_max
    )
    chosen = ServeSettings(**{"grpc_listen": "127.0.0.1:0", "page_size_max": 10, **settings})
    server = GrpcServer(chosen, own, own.store.access, watch, findings, metrics, redact_url, own_socket)
    address = server.start()
    try:
        with PatrolClient(address, timeout_s=10) as client:
            yield RunningServer(own, watch, metrics, server, address, client)
    finally:
        server.stop(0.5)
        if hub is None:
            own.store.close()


def county_cameras(number: int = 25, region: str = "130102", name: str = "c") -> list[Camera]:
    """Return cameras of one county, spread over five canteens."""
    return [Camera(f"{name}{n}", f"rtsp://u:secret@h/{n}", region=region, site_id=f"s{n % 5}") for n in range(number)]
