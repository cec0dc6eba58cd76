"""A console in front of a gRPC server on a real store, with a token of every role."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.clock import wall_ns
from engine.model.access import Role, TokenOrder
from engine.model.spot_check import SpotCheck, SpotCheckHeader
from engine.storage.db.store import Store
from tests.support.serve.served import FakeHub, county_cameras, serving
from tests.support.web.console import HERE, THERE, World
from tests.support.web.gateway import gateway

ROLES = {
    "admin": (Role.ADMIN, ""),
    "operator": (Role.OPERATOR, ""),
    "inspector": (Role.INSPECTOR, ""),
    "viewer": (Role.VIEWER, ""),
    "viewer_here": (Role.VIEWER, HERE),
    "operator_here": (Role.OPERATOR, HERE),
    "admin_here": (Role.ADMIN, HERE),
}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Two counties with cameras, verdicts, findings and a draw."""
    folder: Path = tmp_path_factory.mktemp("console")
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    made = {
        name: store.access.create_token(TokenOrder(f"{region}{name}", role, region), "test", wall_ns())
        for name, (role, region) in ROLES.items()
    }
    hub = FakeHub(store)
    hub.put(*county_cameras(12, HERE, "c"), *county_cameras(3, THERE, "n"))
    for camera in ("c1", "c2", "n1"):
        hub.ledger.open(hub.registry.cameras[camera])
    hub.draws.append(SpotCheck(SpotCheckHeader(1, 5, 1, 1, "13", 1.0, 1, 1), (), ()))
    with serving(folder, watchers_max=20, hub=hub, page_size_max=1000) as served, gateway(served.address) as address:
        hub.judge("c1")
        hub.judge("n1")
        yield World(
            served,
            address,
            {name: secret for name, (_, secret) in made.items()},
            {name: token.token_id for name, (token, _) in made.items()},
        )
    store.close()
