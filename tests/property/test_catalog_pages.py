"""The catalog in memory answers as the database does, whatever cameras and verdicts come and go."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.hub.catalog import Catalog
from engine.hub.registry import Registry
from engine.model.camera import Camera
from engine.model.measurement import Scores
from engine.model.registry import CameraOrder, CameraQuery
from engine.model.verdict import FaultKind, State, Verdict
from engine.storage.db.store import Store, VisitRecord

IDS = [f"c{n}" for n in range(12)]
REGIONS = ["", "13", "130102", "130104", "130200", "140100"]
SITES = ["", "s1", "s2"]
THRESHOLDS = {"limit": 3.0}
Step = tuple[str, Any]
"""put, write or remove, and what."""

cameras = st.builds(
    Camera,
    camera_id=st.sampled_from(IDS),
    url=st.just("rtsp://u:p@h/1"),
    region=st.sampled_from(REGIONS),
    site_id=st.sampled_from(SITES),
)
verdicts = st.builds(
    Verdict,
    camera_id=st.sampled_from(IDS),
    visit_id=st.integers(1, 2**63 - 1),
    at_wall_ns=st.integers(1, 2**62),
    state=st.sampled_from(State),
    kinds=st.sampled_from([(), (FaultKind.BLURRED,)]),
    detail=st.sampled_from(["", "40 % of the picture hidden"]),
    announced=st.sampled_from(State),
    scores=st.builds(Scores, st.none() | st.just(12.5), st.none(), st.just(0.0)),
    figures=st.sampled_from([{}, {"luma_mean": 0.1}, {"luma_mean": 0.25, "luma_std": 1 / 3}]),
    thresholds=st.just(THRESHOLDS),
)
steps = st.lists(
    st.tuples(st.just("put"), st.lists(cameras, min_size=1, max_size=4))
    | st.tuples(st.just("write"), st.lists(verdicts, min_size=1, max_size=4))
    | st.tuples(st.just("remove"), st.lists(st.sampled_from(IDS), min_size=1, max_size=2)),
    max_size=12,
)
queries = st.builds(
    CameraQuery,
    region_prefix=st.sampled_from(["", "1", "13", "1301", "130102", "15"]),
    site_id=st.sampled_from(SITES),
    state=st.none() | st.sampled_from(State),
    page_size=st.integers(1, 5),
    order=st.sampled_from([order for order in CameraOrder if order.of_registry]),
    descending=st.booleans(),
    with_verdict=st.booleans(),
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(before=steps, after=steps, asked=st.lists(queries, min_size=1, max_size=6))
def test_pages_and_cameras_are_those_of_the_database(
    tmp_path_factory: pytest.TempPathFactory, before: list[Step], after: list[Step], asked: list[CameraQuery]
) -> None:
    folder: Path = tmp_path_factory.mktemp("catalog")
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    try:
        registry = Registry([], {})
        catalog = Catalog(registry, {})
        for step in before:
            _do(step, store, registry, catalog)
        # A restart in the middle: from here on it stands on what was stored.
        registry = Registry(store.registry.cameras(), {})
        catalog = Catalog(registry, {camera_id: packed for camera_id, packed, _ in store.latest()})
        for step in after:
            _do(step, store, registry, catalog)
            for query in asked:
                _same_pages(store, catalog, query)
        known = {status.camera.camera_id: status for status in store.registry.page(CameraQuery()).cameras}
        for camera_id in IDS:
            assert catalog.camera(camera_id) == known.get(camera_id)
    finally:
        store.close()


def _same_pages(store: Store, catalog: Catalog, query: CameraQuery) -> None:
    while True:
        page = catalog.page(query)
        assert page == store.registry.page(query)
        if page.next_after is None:
            return
        query = replace(query, after=page.next_after)


def _do(step: Step, store: Store, registry: Registry, catalog: Catalog) -> None:
    what, with_what = step
    if what == "put":
        rows = list({camera.camera_id: camera for camera in with_what}.values())
        store.registry.upsert(rows)
        registry.upsert(rows)
    elif what == "remove":
        registry.remove(with_what)
        catalog.forget(with_what)
        store.registry.remove(with_what)
    else:
        known = [VisitRecord(verdict, b"") for verdict in with_what if verdict.camera_id in registry.cameras]
        catalog.stored(store.write(known))
