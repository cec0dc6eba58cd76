"""What a whole engine, with its real hub, tells a console of itself."""

from collections.abc import Iterator

import pytest

from engine.client import PatrolClient
from engine.clock import wall_ns
from engine.model.access import LOCAL, Caller
from engine.model.camera import Camera
from engine.model.registry import Region
from engine.supervisor.app import Supervisor
from tests.support.live_engine import fast_scheduler, settings
from tests.support.web.gateway import caller as http_caller
from tests.support.web.gateway import gateway


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    folder = tmp_path_factory.mktemp("engine")
    calendar = folder / "calendar.toml"
    calendar.write_text('timezone = "Asia/Urumqi"\n', encoding="utf-8")
    with Supervisor(settings(folder, scheduler=fast_scheduler(calendar_file=str(calendar)))) as engine:
        yield engine


@pytest.fixture(scope="module")
def client(engine: Supervisor) -> Iterator[PatrolClient]:
    with PatrolClient(engine.addresses["grpc"], timeout_s=20) as client:
        yield client


def test_the_caller_the_time_zone_the_clock_and_the_regions(engine: Supervisor, client: PatrolClient) -> None:
    client.import_cameras(
        [
            Camera("a", "rtsp://127.0.0.1:1/1", region="130102", enabled=False),
            Camera("b", "rtsp://127.0.0.1:1/2", enabled=False),
        ]
    )
    assert client.access.caller() == Caller(LOCAL, local=True)
    before_ns = wall_ns()
    status = client.status()
    assert (status.time_zone, before_ns <= status.now_wall_ns <= wall_ns()) == ("Asia/Urumqi", True)
    county = Region("130102", "石家庄市长安区")
    assert client.regions() == (Region("13", "河北省"), Region("1301", "石家庄市"), county)
    client.remove_cameras(["a"])
    assert client.regions() == ()


def test_over_http(engine: Supervisor) -> None:
    with gateway(engine.addresses["grpc"]) as address, http_caller(address) as http:
        assert http.get("/v1/caller").json() == {"displayName": "local", "role": "ROLE_ADMIN", "local": True}
        assert http.get("/v1/status").json()["timeZone"] == "Asia/Urumqi"
        assert http.get("/v1/regions?regionPrefix=13").json() == {}
