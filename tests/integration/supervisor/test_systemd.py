"""What systemd is told, on a socket like its own."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.clock import NS_PER_S
from engine.supervisor.systemd import Systemd


@pytest.fixture
def listener(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(tmp_path / "notify"))
        listener.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        yield listener


def told(listener: socket.socket) -> list[str]:
    messages: list[str] = []
    while True:
        try:
            messages.append(listener.recv(100).decode())
        except BlockingIOError:
            return messages


def test_it_hears_of_each_second_of_the_start_and_of_the_end(listener: socket.socket) -> None:
    systemd = Systemd()
    systemd.turn(0, ready=False)
    systemd.turn(NS_PER_S // 2, ready=False)
    assert told(listener) == ["WATCHDOG=1"]
    systemd.turn(NS_PER_S, ready=True)
    systemd.turn(NS_PER_S + 1, ready=True)
    assert told(listener) == ["WATCHDOG=1", "READY=1"]
    systemd.stopping()
    assert told(listener) == ["STOPPING=1"]


def test_no_child_can_speak_for_the_supervisor(listener: socket.socket) -> None:
    Systemd()
    assert "NOTIFY_SOCKET" not in os.environ


def test_one_that_does_not_listen_holds_up_nothing(listener: socket.socket) -> None:
    systemd = Systemd()
    for second in range(2000):  # more than its queue holds
        systemd.turn(second * NS_PER_S, ready=True)


def test_without_systemd_nothing_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NOTIFY_SOCKET", raising=False)
    systemd = Systemd()
    systemd.turn(0, ready=True)
    systemd.stopping()
