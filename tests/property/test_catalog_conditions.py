"""Conditions, orders of verdicts and counts of the catalog are those of the plain definitions."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from engine.hub.catalog import Catalog
from engine.hub.registry import Registry
from engine.model.camera import Camera, KeyPoint
from engine.model.measurement import Scores
from engine.model.packed.verdict import pack
from engine.model.registry import CameraConditions, CameraCount, CameraOrder, CameraQuery
from engine.model.verdict import FaultKind, Severity, State, Verdict
from engine.storage.db.store import VisitRecord

RANK = {None: 0, Severity.COSMETIC: 1, Severity.IMPAIRED: 2, Severity.BLIND: 3}
STATE_RANK = {State.OK: 0, None: 1, State.UNKNOWN: 2, State.OFFLINE: 3, State.FAULT: 4}
KINDS = (FaultKind.BLURRED, FaultKind.COVERED, FaultKind.GREASE)
REGIONS = ("", "13", "130102", "130104", "140100")

cameras = st.builds(
    Camera,
    camera_id=st.sampled_from([f"c{n}" for n in range(15)]),
    url=st.just("rtsp://h/1"),
    name=st.sampled_from(["", "烹饪间", "Hall"]),
    site_name=st.sampled_from(["", "第一中学食堂", "hall"]),
    site_id=st.sampled_from(["s1", "s2"]),
    region=st.sampled_from(REGIONS),
    key_point=st.sampled_from([KeyPoint.COOKING, KeyPoint.OTHER]),
    push=st.booleans(),
    enabled=st.booleans(),
    platform_status=st.sampled_from(["", "ON", "off", "sleeping"]),
)
scores = st.none() | st.sampled_from([0.0, 12.5, 99.0, 100.0])


def judged_as(
    camera_id: str, announced: State, kinds: tuple[FaultKind, ...], severity: Severity, **more: Any
) -> Verdict:
    """A verdict; only a fault has kinds and a severity."""
    verdict = Verdict(camera_id, 1, announced=announced, **more)
    return replace(verdict, announced_kinds=kinds, severity=severity) if announced is State.FAULT else verdict


verdicts = st.builds(
    judged_as,
    camera_id=st.sampled_from([f"c{n}" for n in range(15)]),
    announced=st.sampled_from(State),
    kinds=st.lists(st.sampled_from(KINDS), min_size=1, unique=True).map(tuple),
    severity=st.sampled_from(Severity),
    reason=st.sampled_from(["", "refused"]),
    at_wall_ns=st.sampled_from([9, 11]),
    state=st.sampled_from([State.OK, State.OFFLINE]),
    since_wall_ns=st.sampled_from([0, 5, 10, 15]),
    scores=st.builds(Scores, scores, scores, scores),
)  # fmt: skip
moments = st.sampled_from([0, 1, 5, 10, 12])
queries = st.builds(
    CameraQuery,
    region_prefix=st.sampled_from(["", "13", "1301", "130102"]),
    site_id=st.sampled_from(["", "s1"]),
    state=st.none() | st.sampled_from(State),
    page_size=st.integers(1, 6),
    order=st.sampled_from(CameraOrder),
    descending=st.booleans(),
    where=st.builds(
        CameraConditions,
        severity_min=st.none() | st.sampled_from(Severity),
        kinds=st.frozensets(st.sampled_from(KINDS), max_size=2),
        reason=st.sampled_from(["", "", "refused"]),
        since_from_wall_ns=moments,
        since_until_wall_ns=moments,
        offline_since_wall_ns=moments,
        key_points=st.frozensets(st.sampled_from(KeyPoint), max_size=2),
        push=st.none() | st.booleans(),
        enabled=st.none() | st.booleans(),
        text=st.sampled_from(["", "", "HALL", "c1", "中学"]),
        platform_disagrees=st.booleans(),
        unseen=st.sampled_from([False, False, False, True]),
        picture_until_wall_ns=st.sampled_from([0, 0, 5, 9, 10, 12]),
    ),
)


def disagree(camera: Camera, verdict: Verdict | None) -> bool:
    if not camera.enabled or verdict is None or verdict.announced is State.UNKNOWN:
        return False
    is_offline = verdict.announced is State.OFFLINE
    return camera.platform_status == ("ON" if is_offline else "off")


def meets(query: CameraQuery, camera: Camera, verdict: Verdict | None) -> bool:
    """The definition, in the words of the .proto."""
    where, text = query.where, query.where.text.lower()
    since_ns = 0 if verdict is None else verdict.since_wall_ns
    return all(
        (
            camera.region.startswith(query.region_prefix),
            query.site_id in ("", camera.site_id),
            query.state is None or (verdict is not None and verdict.announced is query.state),
            where.severity_min is None or (verdict is not None and RANK[verdict.severity] >= RANK[where.severity_min]),
            not where.kinds or (verdict is not None and where.kinds & set(verdict.announced_kinds)),
            not where.reason or (verdict is not None and verdict.reason == where.reason),
            not where.since_from_wall_ns or since_ns >= where.since_from_wall_ns,
            not where.since_until_wall_ns or 0 < since_ns < where.since_until_wall_ns,
            not where.offline_since_wall_ns
            or (
                verdict is not None
                and verdict.announced is State.OFFLINE
                and 0 < since_ns <= where.offline_since_wall_ns
            ),
            not where.unseen or verdict is None,
            not where.picture_until_wall_ns
            or (verdict is not None and last_picture_ns(verdict) < where.picture_until_wall_ns),
            not where.key_points or camera.key_point in where.key_points,
            where.push is None or camera.push == where.push,
            where.enabled is None or camera.enabled == where.enabled,
            not where.platform_disagrees or disagree(camera, verdict),
            any(text in word.lower() for word in (camera.camera_id, camera.name, camera.site_name)),
        )
    )


def last_picture_ns(verdict: Verdict) -> int:
    """When the last picture came, as far as the verdict tells."""
    is_offline = verdict.announced is verdict.state is State.OFFLINE
    return verdict.since_wall_ns if is_offline else verdict.at_wall_ns


def place(order: CameraOrder, camera: Camera, verdict: Verdict | None) -> tuple[object, str]:
    """What an order sorts by; a score that there is none of is the best."""
    camera_id = camera.camera_id
    if order is CameraOrder.NAME:
        return "", camera_id
    if order in (CameraOrder.REGION, CameraOrder.SITE_ID):
        return getattr(camera, order.value), camera_id
    if order is CameraOrder.SEVERITY:
        return RANK[None if verdict is None else verdict.severity], camera_id
    if order is CameraOrder.STATE:
        rank = STATE_RANK[None if verdict is None else verdict.announced]
        return rank + RANK[None if verdict is None else verdict.severity], camera_id
    if order is CameraOrder.SINCE_TIME:
        return (0 if verdict is None else verdict.since_wall_ns), camera_id
    score = None if verdict is None else getattr(verdict.scores, order.value)
    best = -1.0 if order is CameraOrder.OCCLUSION else 101.0
    return (best if score is None else score), camera_id


def counted(rows: list[tuple[Camera, Verdict | None]], region: str) -> CameraCount:
    def of(**wanted: object) -> int:
        return sum(all(getattr(verdict, name, None) == value for name, value in wanted.items()) for _, verdict in rows)

    faults = [verdict for _, verdict in rows if verdict is not None and verdict.announced is State.FAULT]
    return CameraCount(
        region,
        len(rows),
        sum(not camera.enabled for camera, _ in rows),
        {state: of(announced=state) for state in (*State, None)},
        {severity: sum(verdict.severity is severity for verdict in faults) for severity in Severity},
        {
            kind: {
                severity: sum(kind in verdict.announced_kinds and verdict.severity is severity for verdict in faults)
                for severity in Severity
            }
            for kind in KINDS
        },
    )


def plain(count: CameraCount) -> CameraCount:
    """The same without zeros."""

    def nonzero(numbers: Mapping[object, int]) -> dict[object, int]:
        return {key: number for key, number in numbers.items() if number}

    by_kind = {kind: nonzero(numbers) for kind, numbers in count.by_kind.items()}  # type: ignore[arg-type]
    return replace(
        count,
        by_state=nonzero(count.by_state),  # type: ignore[arg-type]
        by_severity=nonzero(count.by_severity),  # type: ignore[arg-type]
        by_kind={kind: numbers for kind, numbers in by_kind.items() if numbers},  # type: ignore[misc]
    )


@settings(max_examples=150, deadline=None)
@given(st.lists(cameras, max_size=15), st.lists(verdicts, max_size=12), st.lists(queries, min_size=1, max_size=4))
def test_pages_and_counts_are_those_of_the_definitions(
    rows: list[Camera], judged: list[Verdict], asked: list[CameraQuery]
) -> None:
    registry = Registry(rows, {})
    catalog = Catalog(registry, {})
    catalog.stored([VisitRecord(verdict, b"", packed_verdict=pack(verdict)) for verdict in judged])
    latest = {verdict.camera_id: verdict for verdict in judged}
    known = [(camera, latest.get(camera.camera_id)) for camera in registry.cameras.values()]
    for query in asked:
        chosen = [(camera, verdict) for camera, verdict in known if meets(query, camera, verdict)]
        expected = sorted((place(query.order, *row) for row in chosen), reverse=query.descending)
        listed: list[str] = []
        page = catalog.page(query)
        while True:
            assert page.total == len(chosen)
            listed += [status.camera.camera_id for status in page.cameras]
            if page.next_after is None:
                break
            page = catalog.page(replace(query, after=page.next_after))
        assert listed == [camera_id for _, camera_id in expected]

        for digits in (2, 6):
            counts, total = catalog.count(query, digits)
            regions = sorted({camera.region[:digits] for camera, _ in chosen})
            assert [plain(count) for count in counts] == [
                plain(counted([row for row in chosen if row[0].region[:digits] == region], region))
                for region in regions
            ]
            assert plain(total) == plain(counted(chosen, ""))
