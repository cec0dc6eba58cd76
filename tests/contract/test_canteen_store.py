"""Canteens in SQLite and in a real PostgreSQL; and what the database cannot answer of cameras."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from engine.model.camera import SiteKind
from engine.model.canteen import CanteenDetails, StoredCanteen
from engine.model.registry import CameraConditions, CameraOrder, CameraQuery
from engine.storage.db.store import Store

CANTEEN = StoredCanteen(
    "130102/第一中学食堂", "第一中学食堂", "130102", SiteKind.HIGH,
    CanteenDetails("裕华路 1 号", "王主任", "0311-1234567", (38.0428, -114.5149)), 1_700_000_000_000_000_000,
)  # fmt: skip


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    yield store
    store.close()


def test_a_canteen_comes_back_as_it_was_stored_and_is_replaced_and_removed(store: Store) -> None:
    other = StoredCanteen("s1", "", "13", SiteKind.OTHER, CanteenDetails(), 1)
    for canteen in (other, CANTEEN):
        store.canteens.upsert(canteen)
    assert store.canteens.all() == (CANTEEN, other)
    moved = replace(CANTEEN, details=CanteenDetails("建设大街 2 号"), changed_wall_ns=2)
    store.canteens.upsert(moved)
    for canteen_id in ("s1", "unknown"):
        store.canteens.remove(canteen_id)
    assert store.canteens.all() == (moved,)


@pytest.mark.parametrize(
    "query", [CameraQuery(order=CameraOrder.SEVERITY), CameraQuery(where=CameraConditions(reason="refused"))]
)
def test_what_only_a_running_engine_can_select_is_refused_and_not_ignored(store: Store, query: CameraQuery) -> None:
    with pytest.raises(ValueError, match="the database has region, canteen and state only"):
        store.registry.page(query)
