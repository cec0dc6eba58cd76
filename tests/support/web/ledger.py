"""An engine whose ledger has a finding for each of twelve cameras, and users of its console who are signed in."""

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from engine.client.patrol import PatrolClient
from engine.config.ledger import LedgerSettings
from engine.config.web import WebSettings
from engine.model.access import Role, TokenOrder
from engine.model.camera import KeyPoint, SiteKind
from engine.supervisor.app import Supervisor
from tests.support.live_engine import REFUSING_CAMERAS, refusing_cameras, refusing_settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.support.web.console import User, user

HERE, THERE = "130102", "130203"
FORMULA, SCRIPT = '=HYPERLINK("http://evil.example","x")', "<script>alert(1)</script>"
"""The names of the first camera, and of its canteen."""


class LedgerWorld(NamedTuple):
    """`users`: inspector of the county HERE (English), operator (English) and viewer (Chinese) of all regions."""

    address: str
    users: dict[str, User]


@contextmanager
def ledger_world(folder: Path) -> Iterator[LedgerWorld]:
    """Run the engine; a single check after a claim decides."""
    changes = {
        "web": WebSettings(listen=f"127.0.0.1:{free_port()}"),
        "ledger": LedgerSettings(offline_min_h=0, recheck_n=1, recheck_m=1),
    }
    with ExitStack() as stack:
        engine = stack.enter_context(Supervisor(refusing_settings(folder, free_port()).model_copy(update=changes)))
        grpc, address = engine.addresses["grpc"], engine.addresses["web"]
        client = stack.enter_context(PatrolClient(grpc))
        cameras = [
            replace(
                camera,
                name=f"烹饪间{n}",
                site_id=f"s{n % 4}",
                site_name=f"第{n % 4}小学" if n % 4 else SCRIPT,
                site_kind=SiteKind.PRIMARY,
                key_point=KeyPoint.COOKING,
            )
            for n, camera in enumerate(refusing_cameras(free_port()))
        ]
        cameras[0] = replace(cameras[0], name=FORMULA)
        client.import_cameras(cameras)
        wait_until(lambda: len(list(client.findings.list())) == REFUSING_CAMERAS, timeout_s=60)
        _, admin_token = client.access.create_token(TokenOrder("admin", Role.ADMIN))
        admin = stack.enter_context(PatrolClient(grpc, token=admin_token))
        users = {}
        for name, role, region, code in (
            ("inspector", Role.INSPECTOR, HERE, "en"),
            ("operator", Role.OPERATOR, "", "en"),
            ("viewer", Role.VIEWER, "", "zh"),
        ):
            token = admin.access.create_token(TokenOrder(name, role, region))[1]
            users[name] = stack.enter_context(user(address, token, code))
        yield LedgerWorld(address, users)
