"""The gateway as a process of the engine: started, watched and replaced; it outlives a hub and hides nothing of it."""

import json
import os
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from engine.config.web import WebSettings
from engine.errors import ConfigError, ListenError
from engine.supervisor.app import Supervisor
from tests.support.certificates import certificate
from tests.support.live_engine import refusing_cameras, refusing_settings, settings
from tests.support.ports import free_port
from tests.support.waiting import wait_until
from tests.support.web.gateway import caller


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Supervisor]:
    folder = tmp_path_factory.mktemp("live")
    web = WebSettings(listen=f"127.0.0.1:{free_port()}")
    with Supervisor(refusing_settings(folder, free_port()).model_copy(update={"web": web})) as engine:
        rows = [
            {"name": f"cameras/{camera.camera_id}", "url": camera.url, "region": camera.region, "uplink": camera.uplink}
            for camera in refusing_cameras(free_port())
        ]
        with caller(engine.addresses["web"]) as http:
            assert http.post("/v1/cameras:import", json={"cameras": rows}).json() == {"added": len(rows)}
        yield engine


def test_the_audit_log_names_the_caller_behind_the_gateway(engine: Supervisor) -> None:
    with caller(engine.addresses["web"]) as http:
        entry = http.get("/v1/auditEntries").json()["auditEntries"][0]
    assert (entry["actor"], entry["method"]) == ("local", "CameraService/ImportCameras")
    assert entry["peer"].startswith("ipv4:127.0.0.1:")
    assert entry["peer"].endswith(" http")


def test_a_watch_goes_on_over_a_restart_of_the_hub_without_a_gap(engine: Supervisor) -> None:
    """As an EventSource does it: it connects again when the stream ends, with the last id."""
    accept = {"Accept": "text/event-stream"}
    seen: list[str] = []
    last_id = ""
    pid = engine.pids()["web"]
    with caller(engine.addresses["web"]) as http:
        killed = False
        while len(seen) < 48:
            headers = accept | ({"Last-Event-ID": last_id} if last_id else {})
            with http.stream("GET", "/v1/verdicts:watch", headers=headers, timeout=60) as reply:
                assert reply.status_code == 200
                for line in reply.iter_lines():
                    last_id = line[4:] if line.startswith("id: ") else last_id
                    if line.startswith("data: "):
                        seen += [verdict["name"] for verdict in json.loads(line[6:]).get("verdicts", ())]
                    if len(seen) >= 24 and not killed:
                        killed = True
                        os.kill(engine.pids()["hub"], signal.SIGKILL)
                    if len(seen) >= 48:
                        break
        listed = _all_verdicts(http)
    assert engine.pids()["web"] == pid, "the gateway outlives the hub"
    assert len(seen) == len(set(seen)), "none twice"
    first, last = listed.index(seen[0]), listed.index(seen[-1])
    assert sorted(listed[first : last + 1]) == sorted(seen), "none left out"


def _all_verdicts(http: httpx.Client) -> list[str]:
    """Return the names of all verdicts, in the order of their visits."""
    names: list[tuple[int, str]] = []
    for camera in http.get("/v1/cameras?pageSize=1000").json()["cameras"]:
        token = ""
        while True:
            reply = http.get(f"/v1/{camera['name']}/verdicts", params={"pageSize": 1000, "pageToken": token}).json()
            names += [(int(v["name"].rpartition("/")[2]), v["name"]) for v in reply.get("verdicts", ())]
            token = reply.get("nextPageToken", "")
            if not token:
                break
    return [name for _, name in sorted(names)]


def test_a_gateway_that_dies_is_replaced_and_the_patrol_goes_on(engine: Supervisor) -> None:
    def back() -> bool:
        try:
            return httpx.get(f"http://{engine.addresses['web']}/readyz").status_code == 200
        except httpx.TransportError:
            return False

    wait_until(back, timeout_s=60)
    before = engine.pids()
    os.kill(before["web"], signal.SIGKILL)
    wait_until(lambda: engine.pids().get("web", before["web"]) != before["web"] and back())
    after = engine.pids()
    assert {name: pid for name, pid in after.items() if name != "web"} == {
        name: pid for name, pid in before.items() if name != "web"
    }


def test_an_address_in_use_is_said_at_the_start(engine: Supervisor, tmp_path: Path) -> None:
    taken = WebSettings(listen=engine.addresses["web"])
    with (
        pytest.raises(ListenError, match=r"web\.listen.*web\.enabled = false"),
        Supervisor(settings(tmp_path, web=taken)),
    ):
        pass


def test_a_public_address_needs_a_token(tmp_path: Path) -> None:
    pem, _ = certificate(tmp_path)
    public: dict[str, Any] = {"tls_cert_file": str(pem), "tls_key_file": str(tmp_path / "key.pem")}
    chosen = settings(tmp_path, web=WebSettings(listen=f"0.0.0.0:{free_port()}", **public))
    with pytest.raises(ConfigError, match=r"web\.listen.*patrol token create"), Supervisor(chosen):
        pass
