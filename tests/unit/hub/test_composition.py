"""A hub that is built, and one that cannot be."""

import contextlib
import socket
import threading
from multiprocessing import connection
from pathlib import Path

import pytest

from engine.config.calendar import Calendar
from engine.config.schema import RecordSettings, Settings
from engine.config.serve import ServeSettings
from engine.errors import ListenError
from engine.hub.composition import compose
from engine.runtime.control import READY, Control


def settings(folder: Path, grpc_listen: str) -> Settings:
    return Settings(
        record=RecordSettings(
            url=f"sqlite:///{folder}/patrol.db",
            evidence_dir=str(folder / "evidence"),
            quarantine_dir=str(folder / "quarantine"),
        ),
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
