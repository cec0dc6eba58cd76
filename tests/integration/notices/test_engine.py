"""From a camera that is gone to a webhook, through the whole engine: ledger, outbox, sender, and back to the ledger."""

import os
import signal
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.judge import JudgeSettings
from engine.config.ledger import LedgerSettings
from engine.config.notices import EndpointSettings, NoticesSettings
from engine.config.schema import LogSettings, RecordSettings, SchedulerSettings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.model.camera import Camera
from engine.model.findings import FindingState, Step
from engine.notices.payload import FindingData, VerdictData
from engine.storage.db.store import Store
from engine.supervisor.app import Supervisor
from tests.support.waiting import wait_until
from tests.support.webhook_receivers import SECRET_LINE, Receiver, Reply, receiving

QUICK = (
    "key_period_s", "ordinary_period_s", "suspicious_period_s", "confirm_spacing_s", "backoff_stream_first_s",
    "backoff_connect_first_s", "backoff_lasting_first_s", "backoff_max_s",
)  # fmt: skip


@pytest.fixture
def gone() -> Iterator[int]:
    """A port that is bound, and where nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


def settings(folder: Path, receiver: Receiver, **more: Any) -> Settings:
    secret = folder / "secret"
    secret.write_text(SECRET_LINE)
    endpoint = EndpointSettings(
        name="county", url=receiver.url, secret_file=str(secret), region="130102", events=("*",), **more
    )
    quick: dict[str, Any] = dict.fromkeys(QUICK, 1.0)
    return Settings(
        feed=FeedSettings(connect_timeout_s=0.5, deadline_s=2, demuxers=0),
        intake=IntakeSettings(listen=""),
        worker=WorkerSettings(count=1, spare=False),
        scheduler=SchedulerSettings(**quick),
        judge=JudgeSettings(confirm_n=1, confirm_m=1),
        ledger=LedgerSettings(offline_min_h=0),
        notices=NoticesSettings(endpoints=(endpoint,), verdicts=True, wait_first_s=0.2, wait_max_s=0.5),
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db", evidence_dir=f"{folder}/ev", quarantine_dir=f"{folder}/q"
        ),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        web=WebSettings(enabled=False),
        log=LogSettings(level="error"),
    )


def cameras(folder: Path, port: int) -> None:
    with closing(Store.open(f"sqlite:///{folder}/patrol.db")) as store:
        store.registry.upsert(
            [
                Camera("c1", f"rtsp://u:geheim@127.0.0.1:{port}/1", "烹饪间", "s1", "第一中学食堂", "130102"),
                Camera("c2", f"rtsp://u:geheim@127.0.0.1:{port}/2", "切配间", "s2", "第二中学食堂", "130202"),
            ]
        )


def seen(folder: Path, what: Callable[[Store], bool], timeout_s: float = 30.0) -> bool:
    with closing(Store.open(f"sqlite:///{folder}/patrol.db")) as store:
        return wait_until(lambda: what(store), timeout_s)


def state(finding_id: int) -> Callable[[Store], FindingState | None]:
    def ask(store: Store) -> FindingState | None:
        found = store.findings.get(finding_id)
        return None if found is None else found.state

    return ask


def test_a_camera_that_is_gone_is_told_of_and_its_finding_is_notified(tmp_path: Path, gone: int) -> None:
    cameras(tmp_path, gone)
    with receiving(Receiver()) as receiver, Supervisor(settings(tmp_path, receiver)) as engine:
        receiver.wait_taken(2, 60)
        events = {request.event["type"]: request for request in receiver.taken}
        assert all(request.genuine for request in receiver.taken)
        opened = FindingData.model_validate(events["cn.kitchen-patrol.finding.opened.v1"].event["data"])
        assert (opened.camera_id, opened.camera_name, opened.cause_key) == ("c1", "烹饪间", "offline")
        assert opened.region_name == "石家庄市长安区"
        changed = VerdictData.model_validate(events["cn.kitchen-patrol.verdict.changed.v1"].event["data"])
        assert (changed.camera_id, changed.announced, changed.reason) == ("c1", "offline", "refused")
        number = int(opened.finding.removeprefix("findings/"))
        assert seen(tmp_path, lambda store: state(number)(store) == FindingState.NOTIFIED)
        with closing(Store.open(f"sqlite:///{tmp_path}/patrol.db")) as store:
            notified = store.findings.events_of(number)[-1]
            assert (notified.step, notified.why) == (Step.NOTIFIED, "told county")
            other = wait_until(lambda: store.findings.get(3 - number), 30)
            assert other.state == FindingState.OPEN, "nobody hears of the other county"
        # Metrics are looked at now and then.
        url = f"http://{engine.addresses['metrics']}/metrics"
        wanted = 'patrol_notices_total{endpoint="county",outcome="delivered"} 2.0'
        wait_until(lambda: wanted in urllib.request.urlopen(url).read().decode())
        never = 'patrol_notices_total{endpoint="county",outcome="timeout"} 0.0'
        assert never in urllib.request.urlopen(url).read().decode(), "born at 0, with its endpoint"
        assert 'patrol_notices_waiting{endpoint="county"} 0.0' in urllib.request.urlopen(url).read().decode()
    assert len({request.headers["webhook-id"] for request in receiver.taken}) == len(receiver.taken)
    assert not any(b"geheim" in request.body for request in receiver.requests)


@pytest.mark.long
def test_kill_9_of_the_hub_between_delivery_and_ledger_loses_neither(tmp_path: Path, gone: int) -> None:
    cameras(tmp_path, gone)
    with receiving(Receiver()) as receiver:
        receiver.reply = lambda _: Reply(hang_s=60)  # what is delivered is never marked
        with Supervisor(settings(tmp_path, receiver, timeout_s=100)) as engine:
            wait_until(lambda: len(receiver.requests) > 0, 60)
            receiver.reply = lambda _: Reply()
            os.kill(engine.pids()["hub"], signal.SIGKILL)
            receiver.wait_taken(2, 60)
            assert seen(tmp_path, lambda store: FindingState.NOTIFIED in {state(1)(store), state(2)(store)})
            time.sleep(0.5)  # a notice sent twice would come by now; nothing else comes that could be waited for
    ids = [request.headers["webhook-id"] for request in receiver.requests]
    assert ids[0] in {request.headers["webhook-id"] for request in receiver.taken}, "the same event came again"
    opened = [request for request in receiver.taken if request.event["type"].endswith("finding.opened.v1")]
    assert len({finding.headers["webhook-id"] for finding in opened}) == 1, "and the fault was found once"
