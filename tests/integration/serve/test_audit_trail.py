"""A change is in the audit log before it is carried out; one that the log cannot hold is refused."""

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from engine.client import CallError
from engine.errors import StoreError
from engine.model.access import OUTCOME_PENDING, AuditEntry, AuditQuery
from engine.model.camera import Camera
from engine.storage.db.store import Store
from tests.support.serve.served import FakeHub, RunningServer, serving

CHANGES_MAX = 3000
SPARE_PAGES = 4


def fill(store: Store) -> None:
    """Let the database grow by a few pages, and no more: SQLite says that the disk is full."""

    def bound(connection: Any, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count={pages + SPARE_PAGES}")

    store._engine.dispose()
    sa.event.listen(store._engine, "connect", bound)


def test_on_a_full_disk_nothing_is_changed_that_the_audit_log_does_not_hold(tmp_path: Path) -> None:
    hub = FakeHub(Store.open(f"sqlite:///{tmp_path}/patrol.db"))
    fill(hub.store)
    with serving(tmp_path, hub=hub) as served:
        refused = change_until_refused(served)
        assert "nothing was changed" in str(refused)
        assert refused.status == "UNAVAILABLE"
        cameras = list(hub.store.registry.cameras())
        entries = hub.store.access.entries(AuditQuery(page_size=CHANGES_MAX))
    hub.store.close()
    assert len([entry for entry in entries if entry.outcome in ("OK", OUTCOME_PENDING)]) >= len(cameras) > 0


def change_until_refused(served: RunningServer) -> CallError:
    """Add cameras until a change is refused before it is begun."""
    for n in range(CHANGES_MAX):
        try:
            served.client.import_cameras([Camera(f"c{n}", f"rtsp://h/{n}", region="130102")])
        except CallError as error:
            if "nothing was changed" in str(error):
                return error
    raise AssertionError(f"{CHANGES_MAX} changes, and none was refused")


def test_a_change_whose_end_cannot_be_noted_stays_pending(
    served: RunningServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(_: AuditEntry) -> None:
        raise StoreError("the disk is full")

    monkeypatch.setattr(served.hub.store.access, "conclude", fail)
    served.client.import_cameras([Camera("new", "rtsp://h/1", region="130102")])
    (entry,) = served.client.access.audit_entries()
    assert (entry.method, entry.outcome) == ("CameraService/ImportCameras", OUTCOME_PENDING)
    assert 'patrol_store_errors_total{part="audit"} 1.0' in served.metrics.render().decode()


def test_one_call_is_one_line_with_its_outcome(served: RunningServer) -> None:
    served.client.import_cameras([Camera("new", "rtsp://h/1", region="130102")])
    served.client.reset_baselines(["c1"])
    reset, imported = served.client.access.audit_entries()
    assert (imported.method, imported.outcome) == ("CameraService/ImportCameras", "OK")
    assert (reset.method, reset.outcome, reset.resource) == ("CameraService/ResetBaseline", "OK", "cameras/c1")
