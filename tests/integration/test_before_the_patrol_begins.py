"""What a hub answers before the patrol begins: it serves calls while its workers are still starting."""

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from multiprocessing import connection
from pathlib import Path

import pytest

from engine.config.calendar import Calendar
from engine.config.intake import IntakeSettings
from engine.config.schema import RecordSettings, Settings
from engine.config.serve import ServeSettings
from engine.errors import NotFoundError, UnavailableError
from engine.hub.composition.hub import Hub, compose
from engine.model.camera import Camera
from engine.model.schedule import Pause, PauseKind, PauseScope
from engine.runtime.control import GO, READY, STOP, Control
from engine.runtime.transport import Channel, Transport
from engine.storage.db.store import Store
from engine.worker import wire

DOWN = "rtsp://127.0.0.1:9/1"


@dataclass(frozen=True, slots=True)
class Starting:
    """A hub whose loop runs and whose only worker is not ready yet."""

    hub: Hub
    worker: Channel

    def worker_becomes_ready(self) -> None:
        """Say what a worker says when it has loaded its kernels."""
        assert self.worker.send([wire.READY, b"2"])


@pytest.fixture
def starting(tmp_path: Path) -> Iterator[Starting]:
    settings = Settings(
        record=RecordSettings(
            url=f"sqlite:///{tmp_path}/patrol.db",
            evidence_dir=str(tmp_path / "evidence"),
            quarantine_dir=str(tmp_path / "quarantine"),
        ),
        intake=IntakeSettings(listen=""),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen=""),
    )
    store = Store.open(settings.record.url)
    store.registry.upsert([Camera("stored", DOWN, region="130102")])
    store.close()
    ours, theirs = connection.Pipe()
    with contextlib.ExitStack() as stack:
        hub = compose(settings, Calendar(), tmp_path, Control(theirs), lambda: None, stack)
        transport = Transport()
        stack.callback(transport.close)
        loop = threading.Thread(target=hub.loop.run)
        loop.start()
        assert ours.recv()[0] == READY
        ours.send((GO,))
        yield Starting(hub, transport.connect_dealer(f"ipc://{tmp_path}/work", "worker-0"))
        ours.send((STOP,))
        loop.join(20)


def test_a_stored_camera_is_not_said_to_be_unknown_while_the_workers_start(starting: Starting) -> None:
    """`patrol plan` right after the start said that it is not in the registry, and CheckNow that it is not found."""
    port = starting.hub.port

    async def ask() -> None:
        calls = port.plan("stored"), port.check_now(["stored"]), port.schedule()
        asked = asyncio.gather(*calls)
        await asyncio.sleep(0.2)  # they are there before the worker is
        assert not asked.done()
        starting.worker_becomes_ready()
        plan, checked, schedule = await asyncio.wait_for(asked, 20)
        assert plan.camera_id == "stored"
        assert checked.unknown_ids == ()
        assert sum(kind.cameras for kind in schedule.classes) == 1
        with pytest.raises(NotFoundError):
            await port.plan("nobody")

    asyncio.run(ask())


def test_a_pause_before_the_begin_counts_the_stored_cameras(starting: Starting) -> None:
    scope = PauseScope(PauseKind.REGION, "13")

    async def ask() -> None:
        paused = asyncio.ensure_future(starting.hub.port.pause(Pause(scope, "maintenance", "somebody", 1)))
        await asyncio.sleep(0.2)  # as above
        starting.worker_becomes_ready()
        assert (await asyncio.wait_for(paused, 20)).cameras == 1
        resumed = await starting.hub.port.resume(scope)
        assert resumed.cameras == 1

    asyncio.run(ask())


def test_a_patrol_that_does_not_begin_is_said_to_be_the_reason(starting: Starting) -> None:
    with pytest.raises(UnavailableError, match="no worker is ready yet; ask again"):
        asyncio.run(starting.hub.port.plan("stored"))
    assert asyncio.run(starting.hub.port.camera("stored")) is not None, "what needs no schedule is answered"
