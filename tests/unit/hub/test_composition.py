"""A hub that is built, and one that cannot be."""

import contextlib
import socket
import threading
from multiprocessing import connection
from pathlib import Path

import pytest

from engine.config.calendar import Calendar
from engine.config.intake import IntakeSettings
from engine.config.schema import RecordSettings, Settings
from engine.config.serve import ServeSettings
from engine.errors import ListenError
from engine.hub.composition.hub import compose
from engine.hub.composition.parts import load_memory
from engine.ledger.operator_list import OperatorCase
from engine.model.camera import Camera
from engine.model.verdict import State, Verdict
from engine.runtime.control import READY, Control
from engine.storage.db.store import Store, VisitRecord


def settings(folder: Path, grpc_listen: str) -> Settings:
    return Settings(
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db",
            evidence_dir=str(folder / "evidence"),
            quarantine_dir=str(folder / "quarantine"),
        ),
        intake=IntakeSettings(listen=""),
        serve=ServeSettings(grpc_listen=grpc_listen, metrics_listen=""),
    )


def threads() -> set[str]:
    return {thread.name for thread in threading.enumerate()}


def test_a_hub_sends_notices_once_it_is_ready_and_not_after_it_is_closed(tmp_path: Path) -> None:
    ours, theirs = connection.Pipe()
    with contextlib.ExitStack() as stack:
        compose(settings(tmp_path, "127.0.0.1:0"), Calendar(), tmp_path, Control(theirs), lambda: None, stack)
        assert ours.recv()[0] == READY
        assert {"notices", "writer"} <= threads()
    assert not {"notices", "writer"} & threads()


def test_a_hub_whose_port_is_taken_sends_no_notice_and_leaves_nothing_running(tmp_path: Path) -> None:
    ours, theirs = connection.Pipe()
    with socket.socket() as taken, contextlib.ExitStack() as stack:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        with pytest.raises(ListenError):
            compose(settings(tmp_path, address), Calendar(), tmp_path, Control(theirs), lambda: None, stack)
        assert "notices" not in threads()
    assert not ours.poll(0)
    assert "writer" not in threads()


def test_the_operators_list_is_read_back_from_the_latest_verdicts(tmp_path: Path) -> None:
    chosen = settings(tmp_path, "127.0.0.1:0")
    store = Store.open(chosen.record.url)
    cases = {
        "ours": (State.OFFLINE, State.OFFLINE, "unauthorized"),
        "theirs": (State.OFFLINE, State.OFFLINE, "refused"),
        "not yet": (State.OFFLINE, State.OK, "unauthorized"),
        "back": (State.FAULT, State.OFFLINE, ""),
    }
    store.registry.upsert([Camera(camera_id, "rtsp://h/1") for camera_id in cases])
    store.write(
        [
            VisitRecord(Verdict(camera_id, 1, 9, seen, reason=reason, announced=announced), b"")
            for camera_id, (seen, announced, reason) in cases.items()
        ]
    )
    loaded = load_memory(store, chosen.ledger)
    store.close()
    assert loaded.operator_cases == {"ours": OperatorCase("unauthorized", 9)}
