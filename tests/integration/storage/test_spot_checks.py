"""Spot checks in a real SQLite file: who may be drawn, who was, also after a restart."""

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.model.camera import Camera, SiteKind
from engine.model.spot_check import Canteen, DrawnCanteen, SpotCheck, SpotCheckHeader, StratumShare
from engine.model.verdict import State, Verdict
from engine.storage.db import spot_checks
from engine.storage.db.store import Store, VisitRecord
from tests.support.expect import present

HIGH, OTHER = SiteKind.HIGH, SiteKind.OTHER


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    yield store
    store.close()


def camera(camera_id: str, site_id: str, **more: Any) -> Camera:
    return Camera(camera_id, "rtsp://h/1", site_id=site_id, **({"region": "130102"} | more))


def announce(store: Store, state: State, *camera_ids: str) -> None:
    store.write([VisitRecord(Verdict(camera_id, 1, 1, state, announced=state), b"") for camera_id in camera_ids])


def check(*drawn: DrawnCanteen, at_wall_ns: int = 5) -> SpotCheck:
    share = StratumShare("130102", HIGH, True, 9, len(drawn), 1, 8)
    header = SpotCheckHeader(0, at_wall_ns, 3, 2**32 - 1, "13", 2.5, 9, len(drawn))
    return SpotCheck(header, (share,), drawn, {"no_site": 4})


def drawn(site_id: str, round_: int = 1, findings: int = 0) -> DrawnCanteen:
    return DrawnCanteen(site_id, "一中食堂", "130102", HIGH, findings > 0, findings, round_)


def test_a_canteen_is_its_enabled_cameras_taken_together(store: Store) -> None:
    store.registry.upsert(
        [
            camera("a1", "a", site_name="一中食堂", site_kind=HIGH),
            camera("a2", "a", site_name="一中食堂"),
            camera("a3", "a", region=""),
            camera("b1", "b", region="130203", enabled=False),
            camera("c1", "c", region="130203"),
        ]
    )
    announce(store, State.FAULT, "a1", "a3", "b1")
    announce(store, State.OFFLINE, "c1")
    found = store.spot_checks.population()
    assert sorted(found.canteens, key=lambda canteen: canteen.site_id) == [
        Canteen("a", "一中食堂", "130102", HIGH, findings=2),
        Canteen("c", "", "130203", OTHER),
    ]
    assert found.left_out == {"disabled": 1}
    assert [canteen.site_id for canteen in store.spot_checks.population("1302").canteens] == ["c"]
    assert sorted(store.spot_checks.cameras_of(["a", "b", "nobody"])) == ["a1", "a2", "a3"]


def test_without_an_id_a_canteen_is_known_by_region_and_name_and_without_both_it_is_none(store: Store) -> None:
    store.registry.upsert([camera("a", "", site_name="一中食堂"), camera("b", ""), camera("c", "", enabled=False)])
    found = store.spot_checks.population()
    assert found.canteens == (Canteen("130102/一中食堂", "一中食堂", "130102"),)
    assert found.left_out == {"disabled": 1, "no_site": 1}
    assert store.spot_checks.cameras_of(["130102/一中食堂", ""]) == ["a"]


def test_who_was_drawn_in_which_round_survives_a_restart(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/patrol.db"
    first = Store.open(url)
    first.registry.upsert([camera("a1", "a"), camera("b1", "b")])
    kept = first.spot_checks.add(check(drawn("a", 7, findings=2)))
    first.close()
    second = Store.open(url)
    assert {
        canteen.site_id: (canteen.round, canteen.past_findings) for canteen in second.spot_checks.population().canteens
    } == {
        "a": (7, 2),
        "b": (0, 0),
    }
    assert second.spot_checks.get(kept.header.draw_id) == kept
    assert second.spot_checks.add(check(drawn("a", 8))).header.draw_id == 2
    assert {
        canteen.site_id: (canteen.round, canteen.past_findings) for canteen in second.spot_checks.population().canteens
    } == {
        "a": (8, 0),
        "b": (0, 0),
    }
    second.close()


def test_draws_are_read_back_newest_first(store: Store) -> None:
    assert store.spot_checks.get(0) is None
    assert store.spot_checks.headers() == ()
    kept = [store.spot_checks.add(check(drawn("a", n), at_wall_ns=n)) for n in range(1, 4)]
    assert [check.header.draw_id for check in kept] == [1, 2, 3]
    assert store.spot_checks.headers() == tuple(check.header for check in reversed(kept))
    assert store.spot_checks.get(2) == kept[1]
    assert store.spot_checks.get(0) == kept[2]
    assert store.spot_checks.get(4) is None


def test_old_draws_go_and_with_them_the_memory_of_canteens_that_are_no_more(
    store: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(spot_checks, "DRAWS_KEPT", 3)
    store.registry.upsert([camera("a1", "a"), camera("b1", "b")])
    store.spot_checks.add(check(drawn("a"), drawn("b")))
    store.registry.remove(["b1"])
    for number in range(2, 6):
        store.spot_checks.add(check(drawn("late", number)))
    assert [header.draw_id for header in store.spot_checks.headers()] == [5, 4, 3]
    with sqlite3.connect(tmp_path / "patrol.db") as raw:
        assert {site for (site,) in raw.execute("SELECT site_id FROM spot_sites")} == {"a", "late"}


def test_a_canteen_whose_cameras_are_replaced_is_still_known_as_drawn(store: Store) -> None:
    store.registry.upsert([camera("a1", "a")])
    store.spot_checks.add(check(drawn("a", 3)))
    store.registry.remove(["a1"])
    assert store.spot_checks.population().canteens == ()
    store.registry.upsert([camera("a2", "a")])
    (canteen,) = store.spot_checks.population().canteens
    assert canteen.round == 3


def test_a_draw_of_thousands_is_kept_whole(store: Store) -> None:
    many = check(*(drawn(f"s{n}") for n in range(5001)))
    assert present(store.spot_checks.get(store.spot_checks.add(many).header.draw_id)).drawn == many.drawn
