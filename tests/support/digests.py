"""Fills a real database with a week of an invented city: findings in virtual time, and KPIs of two weeks."""

import random
from datetime import date, timedelta

from engine.ledger.projection import apply
from engine.model.camera import Camera, KeyPoint
from engine.model.findings import Finding, FindingState, LedgerEvent, Step
from engine.model.kpi import Counts, KpiChanges
from engine.model.verdict import Cause, FaultKind, State
from engine.storage.db.database import write_transaction
from engine.storage.db.ledger.findings import LedgerEntry, append
from engine.storage.db.store import Store
from tests.support.ledger.ledgers import HOUR, MINUTE, OPERATOR, LedgerHarness

WEEK = "2026-W10"
MONDAY = date(2026, 3, 2)
COUNTIES = ("130102", "130104", "130105", "130108", "130121", "130123")
SCHOOLS = ("第一中学", "实验小学", "育才中学", "东风小学", "职教中心", "中心幼儿园", "外国语学校", "回民小学")
PLACES = {KeyPoint.COOKING: "烹饪间", KeyPoint.CUTTING: "切配间", KeyPoint.DISH_WASHING: "洗消间"}
FAULTS = (
    (FaultKind.COVERED, None), (FaultKind.BLURRED, Cause.DEFOCUS), (FaultKind.TOO_DARK, Cause.LIGHTS_OFF),
    (FaultKind.GREASE, None), (FaultKind.COLOUR_CAST, None), (FaultKind.FROZEN, Cause.CLOCK_STILL),
    (FaultKind.PARTLY_COVERED, None), (FaultKind.MOVED, None), (FaultKind.NOISY, None),
)  # fmt: skip


def city_cameras() -> list[Camera]:
    """Return the cameras of 6 counties with 8 canteens each, 3 cameras a canteen."""
    return [
        Camera(
            f"{county}0011132000{school:02}{number:02}",
            f"rtsp://admin:geheim@10.0.{school}.{number}/1",
            name,
            site_id=f"{county}-{school}",
            site_name=f"{SCHOOLS[school]}食堂",
            region=county,
            key_point=key_point,
            required=True,
        )
        for county in COUNTIES
        for school in range(len(SCHOOLS))
        for number, (key_point, name) in enumerate(PLACES.items())
    ]


def write_events(store: Store, log: list[LedgerEvent]) -> None:
    """Write a log of events to the database as the hub would."""
    findings: dict[int, Finding] = {}
    entries: list[LedgerEntry] = []
    for event in log:
        findings[event.finding_id] = apply(findings.get(event.finding_id), event)
        entries.append(LedgerEntry(event, findings[event.finding_id]))
    with write_transaction(store._engine) as connection:
        append(connection, entries)


def week_of_events(seed: int = 5) -> list[LedgerEvent]:
    """Return ten days of events: findings opened, repaired, dismissed, neglected, escalated and supervised."""
    draw, harness = random.Random(seed), LedgerHarness(offline_min_h=0)
    harness.wait(-60 * HOUR)  # the Friday before
    cameras = city_cameras()
    for day in range(10):
        for _ in range(9):
            harness.wait(draw.randrange(60) * MINUTE)
            at = draw.choice(cameras)
            if draw.random() < 0.2:
                harness.observe(state=State.OFFLINE, at=at)
            else:
                kind, cause = draw.choice(FAULTS)
                harness.observe(kind, at=at, cause=cause)
            if day >= 8:
                continue
            for finding in list(harness.ledger.findings.values()):
                if finding.state in (FindingState.RECTIFIED, FindingState.RECHECKING):
                    whose = next(camera for camera in cameras if camera.camera_id == finding.subject.camera_id)
                    harness.observe(at=whose)
                    harness.observe(at=whose)
                elif draw.random() < 0.09:
                    harness.act(Step.CLAIMED, OPERATOR, finding.finding_id, why="已擦拭镜头")
                elif draw.random() < 0.01:
                    harness.act(Step.DISMISSED, OPERATOR, finding.finding_id, why="厨房改造停用")
                elif finding.standing is FindingState.OPEN and draw.random() < 0.03:
                    harness.act(Step.ACKNOWLEDGED, OPERATOR, finding.finding_id)
        harness.wait(14 * HOUR)
    return harness.log


def write_kpis(store: Store, seed: int = 5) -> None:
    """Write KPIs by county and canteen of the week and the one before; one county is hardly measured."""
    draw = random.Random(seed)
    counties: dict[tuple[int, str], Counts] = {}
    canteens: dict[tuple[int, str], dict[str, Counts]] = {}
    for number in range(-7, 7):
        day = (MONDAY + timedelta(days=number)).toordinal()
        for place, county in enumerate(COUNTIES):
            rows = {
                f"{county}-{school}": _counts(draw, 0.99 - 0.025 * place, measured=3 if place < 5 else 1)
                for school in range(len(SCHOOLS))
            }
            total = Counts()
            for counts in rows.values():
                total = total.plus(counts)
            counties[day, county] = total
            canteens[day, county] = rows
    with write_transaction(store._engine) as connection:
        store.kpis.write(
            connection, KpiChanges(counties=counties, canteens=canteens), keep_days=400, keep_hours_days=40
        )


def _counts(draw: random.Random, clear: float, measured: int) -> Counts:
    seen = [draw.random() < clear for _ in range(measured)]
    whole = all(seen) and measured == len(PLACES)
    return Counts(
        cameras=3, cameras_enabled=3, cameras_visited=measured, cameras_measured=measured,
        cameras_online=measured - (draw.random() < 0.05), cameras_clear=sum(seen), canteens=1, canteens_required=1,
        canteens_measured=int(measured == len(PLACES)), canteens_covered=int(whole), screens_registered=1,
        screens_measured=1, screens_shown=int(draw.random() < 0.8), periods_due=100,
        periods_kept=draw.randrange(93, 101),
    )  # fmt: skip


def fill_city(store: Store) -> None:
    """Write cameras, findings and KPIs."""
    store.registry.upsert(city_cameras())
    write_events(store, week_of_events())
    write_kpis(store)
