"""The catalog: what it holds, and what it lets go."""

import threading
from dataclasses import replace

from engine.hub.catalog import Catalog
from engine.hub.registry import Registry
from engine.model.camera import Camera
from engine.model.packed.verdict import pack
from engine.model.registry import CameraConditions, CameraOrder, CameraQuery
from engine.model.verdict import State, Verdict
from engine.storage.db.store import VisitRecord
from tests.support.expect import present


def catalog_of(*camera_ids: str) -> tuple[Catalog, Registry]:
    registry = Registry([Camera(camera_id, "rtsp://h/1", region="130102") for camera_id in camera_ids], {})
    return Catalog(registry, {}), registry


def record(camera_id: str, visit_id: int, limit: dict[str, float] | None = None) -> VisitRecord:
    verdict = Verdict(camera_id, visit_id, visit_id, State.OK, thresholds={"limit": 1.0} if limit is None else limit)
    return VisitRecord(verdict, b"", packed_verdict=pack(verdict))


def test_a_verdict_that_comes_after_its_camera_left_is_not_kept_for_one_that_takes_its_id() -> None:
    catalog, registry = catalog_of("a")
    registry.remove(["a"])
    catalog.forget(["a"])
    catalog.stored([record("a", 1)])
    registry.upsert([Camera("a", "rtsp://h/2")])
    assert present(catalog.camera("a")).latest is None
    assert catalog.verdict("a") is None


def test_a_camera_that_leaves_while_its_verdict_is_entered_leaves_nothing_behind() -> None:
    catalog, registry = catalog_of("a")

    def leave() -> None:
        registry.remove(["a"])
        catalog.forget(["a"])

    class Leaving(dict[str, Camera]):
        """Somebody takes the camera out just after the writer has seen that it is there."""

        leaver = threading.Thread(target=leave)

        def __contains__(self, camera_id: object) -> bool:
            known = super().__contains__(camera_id)
            if self.leaver.ident is None:
                self.leaver.start()
                self.leaver.join(0.2)
            return known

    registry.cameras = Leaving(registry.cameras)
    catalog.stored([record("a", 1)])
    registry.cameras.leaver.join(5)
    registry.upsert([Camera("a", "rtsp://h/2")])
    assert present(catalog.camera("a")).latest is None


def test_of_two_verdicts_the_later_stands_with_its_own_thresholds() -> None:
    catalog, _ = catalog_of("a")
    catalog.stored([record("a", 1, {"limit": 1.0}), record("a", 2, {"limit": 2.0})])
    latest = present(catalog.verdict("a"))
    assert (latest.visit_id, latest.thresholds) == (2, {"limit": 2.0})


def test_a_list_is_that_of_the_registry_as_it_is_now() -> None:
    catalog, registry = catalog_of("a", "b")
    assert catalog.page(CameraQuery(region_prefix="13")).total == 2
    registry.upsert([Camera("c", "rtsp://h/1", region="130200")])
    registry.remove(["a"])
    page = catalog.page(CameraQuery(region_prefix="13"))
    assert ([camera.camera.camera_id for camera in page.cameras], page.total) == (["b", "c"], 2)


def test_as_many_lists_as_callers_like_take_no_more_room() -> None:
    catalog, _ = catalog_of("a")
    for number in range(500):
        assert catalog.page(CameraQuery(site_id=f"s{number}")).total == 0
    assert len(catalog._lists) <= 64


def test_a_page_is_ready_once_its_order_is_known_until_the_registry_changes() -> None:
    registry = Registry([Camera(f"c{n}", "rtsp://h/1", region="1301") for n in range(5)], {})
    catalog = Catalog(registry, {})
    query = CameraQuery("13", page_size=2)
    assert catalog.ready_page(query) is None
    page = catalog.page(query)
    assert catalog.ready_page(query) == page
    assert catalog.ready_page(replace(query, state=State.OK)) is None
    assert catalog.ready_page(replace(query, where=CameraConditions(text="c1"))) is None
    assert catalog.ready_page(replace(query, order=CameraOrder.SEVERITY)) is None
    assert catalog.ready_page(replace(query, region_prefix="14")) is None
    registry.upsert([Camera("b", "rtsp://h/1", region="1301")])
    assert catalog.ready_page(query) is None
    assert [status.camera.camera_id for status in catalog.page(query).cameras] == ["b", "c0"]
