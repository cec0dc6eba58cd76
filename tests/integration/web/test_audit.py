"""Requests that the gateway refuses for want of a token are in the engine's audit log, as those over gRPC are."""

from pathlib import Path

import httpx
import pytest

from engine.clock import wall_ns
from engine.model.access import ANONYMOUS, AuditQuery, Role, TokenOrder
from engine.storage.db.store import Store
from tests.support.serve.served import FakeHub, serving
from tests.support.web.gateway import gateway


@pytest.mark.parametrize("path", ["/v1/cameras", "/v1/verdicts:watch", "/v1/auditEntries"])
def test_a_request_without_a_token_from_elsewhere_is_in_the_audit_log(tmp_path: Path, path: str) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    store.access.create_token(TokenOrder("root", Role.ADMIN), "test", wall_ns())
    with serving(tmp_path, hub=FakeHub(store)) as served:
        with gateway(served.address) as address, httpx.Client(headers={"X-Forwarded-For": "10.0.0.1"}) as http:
            for _ in range(3):
                assert http.get(f"http://{address}{path}").status_code == 401
            assert http.get(f"http://{address}{path}", headers={"Authorization": "Bearer kp_no"}).status_code == 401
        served.server.stop(0.5)
        told = [(entry.actor, entry.resource, entry.outcome) for entry in store.access.entries(AuditQuery())[::-1]]
    store.close()
    assert told == [
        (ANONYMOUS, "(token_missing)", "UNAUTHENTICATED"),
        (ANONYMOUS, "(token_invalid)", "UNAUTHENTICATED"),
        (ANONYMOUS, "2 more within a minute (token_missing)", "UNAUTHENTICATED"),
    ]
