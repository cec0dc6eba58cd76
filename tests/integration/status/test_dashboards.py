"""Every query of Grafana's dashboards brings data from a live engine, through a real Prometheus with our rules."""

import json
from pathlib import Path

import httpx
import pytest

from engine.client import PatrolClient
from engine.config.notices import EndpointSettings, NoticesSettings
from engine.config.web import WebSettings
from engine.docgen.dashboard_panels import DASHBOARDS
from engine.docgen.dashboards import ALL, expressions
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.live_engine import refusing_cameras, refusing_settings
from tests.support.ports import free_port
from tests.support.prometheus import prometheus
from tests.support.waiting import wait_until
from tests.support.webhook_receivers import SECRET_LINE, Receiver, receiving

DATA_S = 60.0


def queries() -> list[str]:
    """All queries, with what Grafana puts in the place of its variables."""
    texts = [query for board in DASHBOARDS for panel in board.panels for query, _ in expressions(panel)]
    return [
        text.replace("$instance", ".*").replace("$__rate_interval", "30s").replace("[1h]", "[30s]") for text in texts
    ]


def test_every_metric_is_on_a_dashboard() -> None:
    shown = {panel.metric for board in DASHBOARDS for panel in board.panels}
    assert shown == set(ALL)


def test_the_files_are_what_grafana_imports() -> None:
    folder = Path(__file__).resolve().parents[3] / "deploy" / "grafana"
    uids = set()
    for board in DASHBOARDS:
        written = json.loads((folder / f"{board.name}.json").read_text(encoding="utf-8"))
        uids.add(written["uid"])
        assert [panel["title"] for panel in written["panels"]] == [panel.title for panel in board.panels]
        places = [panel["gridPos"] for panel in written["panels"]]
        cells = [
            (x, y)
            for place in places
            for x in range(place["x"], place["x"] + place["w"])
            for y in range(place["y"], place["y"] + place["h"])
        ]
        assert len(cells) == len(set(cells)), "two panels lie on each other"
        assert max(x for x, _ in cells) < 24
    assert len(uids) == len(DASHBOARDS)


@pytest.mark.timeout(240)
def test_every_query_brings_data_from_a_live_engine(tmp_path: Path) -> None:
    settings = refusing_settings(tmp_path, free_port())
    (tmp_path / "webhook.secret").write_text(SECRET_LINE)
    with receiving(Receiver()) as receiver:
        endpoint = EndpointSettings(
            name="board", url=f"http://127.0.0.1:{receiver.port}/", secret_file=str(tmp_path / "webhook.secret")
        )
        settings = settings.model_copy(
            update={
                "web": WebSettings(listen="127.0.0.1:0"),
                "notices": NoticesSettings(endpoints=(endpoint,)),
                "scheduler": settings.scheduler.model_copy(update={"outage_cameras_min": 2}),
                "serve": settings.serve.model_copy(update={"metrics_listen": "127.0.0.1:0"}),
            }
        )
        store = Store.open(settings.record.url)
        store.registry.upsert(refusing_cameras(free_port()))
        store.close()
        with Supervisor(settings) as engine:
            targets = [engine.addresses["metrics"], engine.addresses["web"]]
            with prometheus(tmp_path, targets) as seen, PatrolClient(engine.addresses["grpc"]) as client:
                silent = queries()

                def all_bring_data() -> bool:
                    client.status()
                    httpx.get(f"http://{targets[1]}/v1/status")
                    silent[:] = [query for query in silent if not seen.results(query)]
                    return not silent

                try:
                    wait_until(all_bring_data, timeout_s=DATA_S)
                except AssertionError:
                    assert silent == []
                    raise
