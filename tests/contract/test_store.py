"""One contract, two databases: all of this holds in SQLite and in a real PostgreSQL."""

import itertools
import random
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.config.schema import RecordSettings
from engine.errors import ExistsError, StoreError
from engine.model.access import Actor, AuditEntry, AuditQuery, Role, TokenOrder, token_digest
from engine.model.camera import Camera, KeyPoint, SiteKind
from engine.model.keyframe import Codec
from engine.model.measurement import Scores
from engine.model.registry import CameraOrder, CameraQuery
from engine.model.schedule import Pause, PauseKind, PauseScope
from engine.model.verdict import Cause, FaultKind, LoggedVerdict, Severity, State, Verdict
from engine.storage.db import maintenance, pauses, writer_lock
from engine.storage.db.database import connect, parse_url
from engine.storage.db.passwords.keys import KeySource
from engine.storage.db.store import Store, VisitRecord
from tests.support.expect import present

AT_NS = 1_700_000_000_000_000_000
HOUR_NS = 3_600_000_000_000
DAY_NS = 24 * HOUR_NS
CHINA = timezone(timedelta(hours=8))


@pytest.fixture
def url(database_url: str) -> str:
    return database_url


@pytest.fixture
def store(url: str) -> Iterator[Store]:
    store = Store.open(url)
    yield store
    store.close()


def verdict(camera_id: str, visit_id: int = 1, announced: State = State.OK, at_ns: int = AT_NS) -> Verdict:
    return Verdict(
        camera_id, visit_id, at_ns, State.FAULT, (FaultKind.BLURRED,), "", "why 为何", announced,
        (FaultKind.FROZEN,), 5, Scores(1.5, None, 0.0), {"luma_mean": 12.25}, {"limit": 3.0}, "1", 640, 480, Codec.H265,
        Cause.DEFOCUS, Cause.CLOCK_STILL, Severity.BLIND, 0.875, (0, 17),
    )  # fmt: skip


def kept(store: Store) -> list[tuple[Verdict, bytes]]:
    """Of each camera the latest verdict and the judge's memory."""
    return [(packed.verdict(camera_id), memory) for camera_id, packed, memory in store.latest()]


def offline(camera_id: str, visit_id: int) -> Verdict:
    return Verdict(
        camera_id, visit_id, AT_NS, State.OFFLINE, (), "refused", "no answer from 10.0.0.1:554", State.OFFLINE
    )


def scored(camera_id: str, at_ns: int, state: State, sharpness: float | None) -> VisitRecord:
    return VisitRecord(Verdict(camera_id, 1, at_ns, state, scores=Scores(sharpness, 50.0, None)), b"")


def tend(store: Store, now_ns: int, **settings: Any) -> None:
    """Some rounds of upkeep."""
    more = True
    for _ in range(20):
        more = store.maintenance.step(RecordSettings(**settings), now_ns, CHINA)
    assert not more


def rolled_up(url: str, table: str) -> list[dict[str, Any]]:
    with connect(parse_url(url)).connect() as connection:
        rows = connection.execute(sa.text(f"SELECT * FROM {table} ORDER BY 1, 2")).all()
        return [dict(row._mapping) for row in rows]


def test_the_registry_survives_a_restart(url: str, tmp_path: Path) -> None:
    keys = KeySource(tmp_path / "patrol.key")
    camera = Camera(
        "c", "rtsp://u:p@h/1", "灶", "s", "校", "130102", KeyPoint.COOKING, True, "nvr", "06:00-19:00", "on",
        site_kind=SiteKind.HIGH,
    )  # fmt: skip
    first = Store.open(url, keys)
    assert first.registry.upsert([camera, Camera("d", "rtsp://h/2")]) == (2, 0, 0)
    assert first.registry.upsert([camera, Camera("d", "rtsp://h/3")]) == (0, 1, 1)
    first.close()
    second = Store.open(url, keys)
    assert list(second.registry.cameras()) == [camera, Camera("d", "rtsp://h/3")]
    second.close()


def test_verdict_and_memory_survive_a_restart(url: str) -> None:
    first = Store.open(url)
    first.registry.upsert([Camera("c", "rtsp://h/1")])
    first.write([VisitRecord(verdict("c", 1), b"old"), VisitRecord(verdict("c", 2), b"new")])
    first.close()
    second = Store.open(url)
    assert kept(second) == [(verdict("c", 2), b"new")]
    (status,) = second.registry.page(CameraQuery()).cameras
    assert status.latest == verdict("c", 2)
    second.close()


def test_a_memory_is_replaced_where_there_is_one(store: Store) -> None:
    store.registry.upsert([Camera("c", "rtsp://h/1"), Camera("d", "rtsp://h/1")])
    store.write([VisitRecord(verdict("c"), b"old")])
    store.replace_judge_states({"c": b"new", "d": b"never visited"})
    assert kept(store) == [(verdict("c"), b"new")]
    store.replace_judge_states({})


def test_pages_follow_each_other_without_gap_or_overlap(store: Store) -> None:
    store.registry.upsert(
        [Camera(f"c{n:04}", "rtsp://h/1", region="130102" if n % 2 else "130200") for n in range(1234)]
    )
    seen, after, total = [], None, 0
    while True:
        page = store.registry.page(CameraQuery(region_prefix="1301", page_size=100, after=after))
        seen += [status.camera.camera_id for status in page.cameras]
        total = page.total
        after = page.next_after
        if after is None:
            break
    assert seen == [f"c{n:04}" for n in range(1234) if n % 2]
    assert total == len(seen)


@pytest.mark.parametrize("order", [order for order in CameraOrder if order.of_registry])
@pytest.mark.parametrize("descending", [False, True])
def test_pages_of_any_order_lose_nothing_to_cameras_that_come_meanwhile(
    store: Store, order: CameraOrder, descending: bool
) -> None:
    rows = [Camera(f"c{n:02}", "rtsp://h/1", region=f"13010{n % 3}", site_id=f"s{n % 4}") for n in range(40)]
    store.registry.upsert(rows)
    seen, query = [], CameraQuery(page_size=7, order=order, descending=descending, with_verdict=False)
    while True:
        page = store.registry.page(query)
        seen += [status.camera for status in page.cameras]
        if page.next_after is None:
            break
        query = replace(query, after=page.next_after)
        # Behind and before the place that was reached; those behind are not missed, and nobody comes twice.
        store.registry.upsert(
            [Camera(f"a{len(seen)}", "rtsp://h/1", region="130100"), Camera("z", "rtsp://h/1", region="13")]
        )
    assert len(seen) == len(set(seen))
    assert set(rows) <= set(seen)


def test_tokens_are_kept_as_digests_and_hold_until_revoked_or_expired(store: Store) -> None:
    access = store.access
    token, secret = access.create_token(TokenOrder("county", Role.VIEWER, "130102", expires_wall_ns=50), "admin", 10)
    assert (token.name, token.role, token.region, token.creator) == ("county", Role.VIEWER, "130102", "admin")
    assert access.digests() == {token_digest(secret): token}
    assert (token.is_valid(49), token.is_valid(50)) == (True, False)
    with pytest.raises(ExistsError, match="county"):
        access.create_token(TokenOrder("county", Role.ADMIN), "admin", 20)
    access.create_token(TokenOrder("county", Role.ADMIN), "admin", 60)  # the first has expired
    assert present(access.revoke_token(token.token_id, 70)).revoked_wall_ns == 70
    assert present(access.revoke_token(token.token_id, 80)).revoked_wall_ns == 70
    assert access.revoke_token(99, 80) is None
    assert [token.token_id for token in access.tokens()] == sorted(token.token_id for token in access.tokens())


def test_the_audit_log_is_filtered_paged_and_pruned(store: Store) -> None:
    access = store.access
    for n in range(10):
        actor = Actor("a" if n % 2 else "b", Role.OPERATOR, "1301" if n % 2 else "1302")
        access.note(AuditEntry(n, actor, "S/Put" if n < 5 else "S/Drop", f"cameras/{n}", "OK", "peer"))
    first = access.entries(AuditQuery(page_size=4))
    assert [row.at_wall_ns for row in first] == [9, 8, 7, 6]
    assert [entry.at_wall_ns for entry in access.entries(AuditQuery(before_id=first[-1].entry_id))] == [
        5,
        4,
        3,
        2,
        1,
        0,
    ]
    assert [entry.at_wall_ns for entry in access.entries(AuditQuery(actor="a", method="S/Put"))] == [3, 1]
    assert [entry.at_wall_ns for entry in access.entries(AuditQuery(region_prefix="1302"))] == [8, 6, 4, 2, 0]
    assert [entry.at_wall_ns for entry in access.entries(AuditQuery(from_wall_ns=3, until_wall_ns=5))] == [4, 3]
    methods = ("S/Put", "S/Drop")
    assert (access.prune(methods, 4, 0), access.prune(methods, 4, 0)) == (4, 0)
    assert len(access.entries(AuditQuery())) == 6


def test_pauses_outlive_the_program_and_an_old_one_that_ends_leaves_the_new_one(store: Store) -> None:
    scope = PauseScope(PauseKind.REGION, "1301")
    old, new = Pause(scope, "works", "ops", 1, 9), Pause(scope, "more works", "ops", 2)
    store.write([], [pauses.upsert_pause(old)])
    store.write([], [pauses.upsert_pause(new), pauses.delete_pause(old)])
    assert store.pauses.all() == (new,)
    store.write([], [pauses.delete_pause(new)])
    assert store.pauses.all() == ()


def test_filters_narrow_a_list(store: Store) -> None:
    store.registry.upsert([Camera("a", "rtsp://h/1", site_id="s1"), Camera("b", "rtsp://h/1", site_id="s2")])
    store.write([VisitRecord(verdict("b", announced=State.FAULT), b"")])
    assert [s.camera.camera_id for s in store.registry.page(CameraQuery(site_id="s1")).cameras] == ["a"]
    assert [s.camera.camera_id for s in store.registry.page(CameraQuery(state=State.FAULT)).cameras] == ["b"]
    assert store.registry.page(CameraQuery(region_prefix="1%")).total == 0


def test_a_removed_camera_leaves_nothing(store: Store) -> None:
    store.registry.upsert([Camera("a", "rtsp://h/1")])
    store.write([VisitRecord(verdict("a"), b"h")])
    assert store.registry.remove(["a", "nobody"]) == ("a",)
    assert "a" not in [status.camera.camera_id for status in store.registry.page(CameraQuery()).cameras]
    assert kept(store) == []


def test_every_verdict_is_logged_in_the_order_of_commits(store: Store) -> None:
    first = [VisitRecord(verdict("c", 1), b"", True), VisitRecord(offline("d", 2), b"")]
    assert [record.seq for record in store.write(first)] == [1, 2]
    second = [VisitRecord(verdict("c", 3), b""), VisitRecord(verdict("c", 4), b"")]
    assert [record.seq for record in store.write(second)] == [3, 4]
    assert store.history.after(0) == (
        LoggedVerdict(1, verdict("c", 1), True),
        LoggedVerdict(2, offline("d", 2), False),
        LoggedVerdict(3, verdict("c", 3), False),
        LoggedVerdict(4, verdict("c", 4), False),
    )
    assert [row.seq for row in store.history.after(1, limit=2)] == [2, 3]
    assert (store.history.oldest_seq(), store.history.last_seq()) == (1, 4)


def test_an_empty_log_has_no_first_and_no_last(store: Store) -> None:
    assert (store.history.oldest_seq(), store.history.last_seq()) == (0, 0)
    assert store.history.after(0) == store.history.of_camera("c") == ()


def test_a_cameras_history_is_read_backwards_page_by_page(store: Store) -> None:
    for visit in range(1, 8):
        store.write([VisitRecord(verdict("c", visit), b""), VisitRecord(verdict("d", visit), b"")])
    seen, before = [], 0
    while page := store.history.of_camera("c", before, limit=3):
        seen += [row.verdict.visit_id for row in page]
        before = page[-1].seq
    assert seen == [7, 6, 5, 4, 3, 2, 1]


def test_numbers_go_on_after_a_restart(url: str) -> None:
    for visit in (1, 2):
        store = Store.open(url)
        store.write([VisitRecord(verdict("c", visit), b"")])
        store.close()
    store = Store.open(url)
    assert [(row.seq, row.verdict) for row in store.history.after(0)] == [(1, verdict("c", 1)), (2, verdict("c", 2))]
    store.close()


def test_the_history_of_a_camera_outlives_it(store: Store) -> None:
    store.registry.upsert([Camera("c", "rtsp://h/1")])
    store.write([VisitRecord(verdict("c"), b"")])
    store.registry.remove(["c"])
    assert [row.verdict for row in store.history.of_camera("c")] == [verdict("c")]


def test_a_transaction_that_fails_leaves_nothing_and_the_next_one_is_whole(store: Store) -> None:
    def fail(_: sa.Connection) -> None:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.write([VisitRecord(verdict("c"), b"")], [fail])
    assert store.history.after(0) == ()
    assert kept(store) == []
    (stored,) = store.write([VisitRecord(verdict("c", 2), b"")])
    assert stored.seq == 1
    assert [row.verdict for row in store.history.after(0)] == [verdict("c", 2)]


def test_hooks_and_further_writes_are_in_the_same_transaction(store: Store) -> None:
    seen = []
    store.transaction_hooks.append(lambda connection, records: seen.append([record.seq for record in records]))
    logged = sa.text("SELECT count(*) FROM verdict_log")
    store.write([VisitRecord(verdict("c"), b"")], [lambda connection: seen.append(connection.scalar(logged))])
    assert seen == [[1], 1]


def test_whether_a_commit_stands_can_be_asked_for(store: Store) -> None:
    records = [VisitRecord(verdict("c", 1), b""), VisitRecord(verdict("d", 1), b"")]
    stored = store.write(records, batch_id="first")
    assert store.committed("first", records) == stored
    assert store.committed("second", records) is None


def test_verdicts_of_a_time_and_region_come_in_order(store: Store) -> None:
    store.registry.upsert([Camera("c", "rtsp://h/1", region="130102"), Camera("d", "rtsp://h/1", region="130200")])
    for hour in range(6):
        records = [VisitRecord(verdict(camera_id, hour, at_ns=AT_NS + hour * HOUR_NS), b"") for camera_id in ("c", "d")]
        store.write(records)
    pieces = store.history.between(AT_NS + HOUR_NS, AT_NS + 3 * HOUR_NS, "1301")
    assert [(part.verdict.camera_id, part.verdict.visit_id) for piece in pieces for part in piece] == [
        ("c", 1),
        ("c", 2),
    ]


def test_hours_and_days_are_summed_up_before_verdicts_go(store: Store, url: str) -> None:
    began_ns = 1_763_913_600_000_000_000  # 2025-11-24 00:00 in China
    rng = random.Random(7)
    records = [
        scored(f"c{n % 3}", began_ns + n * HOUR_NS // 4, rng.choice(list(State)), rng.choice([None, 1.0 + n]))
        for n in range(4 * 48)
    ]
    for begin in range(0, len(records), 50):
        store.write(records[begin : begin + 50])
    tend(store, began_ns + 20 * DAY_NS, keep_verdicts_days=7)
    assert [row.seq for row in store.history.after(0)] == [len(records)]
    hours, days = rolled_up(url, "verdict_hours"), rolled_up(url, "verdict_days")
    assert {row["day"] for row in days} == {20251124, 20251125}
    for rows in (hours, days):
        assert sum(row["ok"] + row["fault"] + row["unknown"] + row["offline"] for row in rows) == len(records)
        known = [record.verdict.scores.sharpness for record in records if record.verdict.scores.sharpness is not None]
        assert sum(row["sharpness_sum"] for row in rows) == sum(known)
        assert sum(row["sharpness_count"] for row in rows) == len(known)
        assert min(row["sharpness_min"] for row in rows if row["sharpness_min"] is not None) == min(known)
        assert max(row["sharpness_max"] for row in rows if row["sharpness_max"] is not None) == max(known)
        assert {row["occlusion_min"] for row in rows} == {None}
    expected = sum(record.verdict.camera_id == "c1" and record.verdict.state is State.OK for record in records)
    numbers = {row["camera_id"]: row["camera_no"] for row in rolled_up(url, "camera_nos")}
    assert sum(row["ok"] for row in days if row["camera_no"] == numbers["c1"]) == expected


def test_nothing_is_summed_up_twice(store: Store, url: str) -> None:
    store.write([scored("c", AT_NS, State.OK, 1.0)])
    for _ in range(3):
        tend(store, AT_NS)
    store.write([scored("c", AT_NS, State.FAULT, 3.0)])
    tend(store, AT_NS)
    (day,) = rolled_up(url, "verdict_days")
    assert (day["ok"], day["fault"], day["sharpness_sum"], day["sharpness_min"]) == (1, 1, 4.0, 1.0)


def test_a_step_of_upkeep_is_small(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(maintenance, "STEP_ROWS", 10)
    store.write([scored("c", AT_NS, State.OK, 1.0) for _ in range(35)])
    left = []
    for _ in range(40):
        store.maintenance.step(RecordSettings(), AT_NS + 20 * DAY_NS, UTC)
        left.append(len(store.history.after(0)))
    assert left[-1] == 1
    assert max(before - after for before, after in itertools.pairwise(left)) == 10


def test_sums_go_when_their_time_is_past(store: Store, url: str) -> None:
    store.write([scored("c", AT_NS + day * DAY_NS, State.OK, 1.0) for day in range(60)])
    tend(store, AT_NS + 60 * DAY_NS, keep_hourly_days=10, keep_daily_days=30)
    assert len(rolled_up(url, "verdict_hours")) == 10
    assert len(rolled_up(url, "verdict_days")) == 30


def test_verdicts_of_a_clock_that_was_wrong_do_not_stay_for_ever(store: Store) -> None:
    store.write([scored("c", AT_NS + 10_000 * DAY_NS, State.OK, 1.0)])
    store.write([scored("c", AT_NS, State.OK, 1.0), scored("c", AT_NS + 20 * DAY_NS, State.OK, 1.0)])
    tend(store, AT_NS + 20 * DAY_NS, keep_verdicts_days=7)
    assert [row.seq for row in store.history.after(0)] == [3]


def test_verdicts_share_what_they_have_in_common(store: Store, url: str) -> None:
    base = verdict("c")
    figures = {f"figure_{n}": float(n) for n in range(40)}
    records = [VisitRecord(replace(base, visit_id=n, figures=figures), b"") for n in range(500)]
    store.write(records)
    assert [row.verdict.figures for row in store.history.after(0)] == [figures] * 500
    assert len(rolled_up(url, "terms")) == 3


def test_only_one_process_writes(store: Store, url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(writer_lock, "_WAIT_S", 0.2)
    store.acquire_writer_lock()
    store.write([VisitRecord(verdict("c"), b"")])
    other = Store.open(url)
    with pytest.raises(StoreError, match="another process writes"):
        other.acquire_writer_lock()
    assert len(other.history.after(0)) == 1
    store.close()
    other.acquire_writer_lock()
    other.close()
