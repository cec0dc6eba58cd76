"""A watcher whose link was cut without a word notices it, and resumes: nothing is missing, nothing comes twice."""

import threading
from pathlib import Path

import pytest

from engine.client import PatrolClient
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.live_engine import REFUSING_CAMERAS, refusing_cameras, refusing_settings
from tests.support.ports import free_port
from tests.support.stalling_proxy import stalling_proxy
from tests.support.waiting import wait_until


@pytest.mark.long  # a caller finds out after half a minute
@pytest.mark.timeout(300)
def test_a_watch_over_a_link_that_is_cut_misses_nothing_and_hears_nothing_twice(tmp_path: Path) -> None:
    grpc_port = free_port()
    heard: list[int] = []
    stop = threading.Event()

    def watch(port: int) -> None:
        with PatrolClient(f"127.0.0.1:{port}") as caller:
            for verdict in caller.watch():
                heard.append(verdict.visit_id)
                if stop.is_set():
                    return

    with Supervisor(refusing_settings(tmp_path, grpc_port)), stalling_proxy(grpc_port) as proxy:
        thread = threading.Thread(target=watch, args=(proxy.port,), daemon=True)
        thread.start()
        with PatrolClient(f"127.0.0.1:{grpc_port}") as client:
            client.import_cameras(refusing_cameras(free_port()))
        wait_until(lambda: len(heard) > 2 * REFUSING_CAMERAS, 60)
        assert proxy.stall() == 1
        before = len(heard)
        wait_until(lambda: len(heard) > before + 3 * REFUSING_CAMERAS, 120, what="a watch that resumes")
        stop.set()
        thread.join(20)
        assert not thread.is_alive()
    store = Store.open(f"sqlite:///{tmp_path}/patrol.db")
    stored = [row.verdict.visit_id for row in store.history.after(0, 100_000)]
    store.close()
    first = stored.index(heard[0])
    assert heard == stored[first : first + len(heard)]
