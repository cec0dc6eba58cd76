"""A confined feeder or demuxer that may not read what it needs asks to be replaced; `patrol check` confines too."""

import threading
from collections.abc import Callable
from multiprocessing import connection
from pathlib import Path

import pytest

from engine.batch.measuring import MeasuringProcess
from engine.config.feed import FeedSettings
from engine.config.schema import WorkerSettings
from engine.feed import demuxer, feeder, name_files
from engine.model.keyframe import Codec, Keyframe
from engine.model.visit import FeedKind
from engine.runtime import confinement
from engine.runtime.confinement import Confined
from engine.runtime.control import EXIT_RECYCLE, READY, RELOAD, Control
from engine.runtime.memory_ceiling import MemoryCeiling
from engine.runtime.transport import Transport
from tests.support.confinement import REFUSED, Probe, plan
from tests.support.feed.clips import encode, scene

RUNS: dict[str, Callable[..., int]] = {"feeder": feeder.run, "demuxer": demuxer.run}
FILES_ONLY = Confined(parts=frozenset({confinement.FILES}))
"""As if its files were confined; this process, in which it runs, is not."""


class Running:
    """A feeder or demuxer in a thread."""

    def __init__(self, role: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(MemoryCeiling, "enforce", lambda _: None)  # it would hold for this process
        self._transport = Transport()
        self._hub = self._transport.bind_router(f"ipc://{folder}/feed")
        self.pipe, theirs = connection.Pipe()
        self._codes: list[int] = []
        arguments = ("f", f"ipc://{folder}/feed", FeedSettings(), Control(theirs), FILES_ONLY)
        self._thread = threading.Thread(target=lambda: self._codes.append(RUNS[role](*arguments)))
        self._thread.start()
        assert self.pipe.poll(60)
        assert self.pipe.recv()[0] == READY

    def code(self) -> int:
        """Wait for its end and return the exit code."""
        self._thread.join(60)
        self._transport.close()
        assert self._codes, "it goes on"
        return self._codes[0]


@pytest.mark.parametrize("role", RUNS)
def test_a_file_of_name_lookup_that_is_replaced_has_the_process_replaced(
    role: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "resolv.conf"
    file.write_text("nameserver 127.0.0.1\n")
    monkeypatch.setattr(name_files, "NAME_FILES", (str(file), str(tmp_path / "hosts")))
    running = Running(role, tmp_path, monkeypatch)
    (tmp_path / "new").write_text("nameserver 127.0.0.2\n")
    (tmp_path / "new").replace(file)
    assert running.code() == EXIT_RECYCLE


def test_a_demuxer_that_is_to_read_files_is_replaced(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    running = Running("demuxer", tmp_path, monkeypatch)
    wanted = FeedSettings(schemes=(*FeedSettings().schemes, "file"))
    running.pipe.send((RELOAD, {"feed": wanted.model_dump(mode="json")}))
    assert running.code() == EXIT_RECYCLE


@pytest.mark.skipif(bool(confinement.missing()), reason=f"this kernel offers no {'; no '.join(confinement.missing())}")
def test_the_process_that_decodes_for_a_check_is_confined(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Probe(tmp_path, monkeypatch)
    picture = encode(Codec.MJPEG, [scene(320, 240)])[0]
    with plan(probe, tmp_path), MeasuringProcess(WorkerSettings(picture_cpu_s_max=30), "required") as measuring:
        measurement = measuring.measure(Keyframe("c", 1, Codec.MJPEG, picture, 0, None, FeedKind.GATEWAY))
        assert measurement.width == 320
        found = probe.results(measuring.pid)
    assert {found[name] for name in ("read passwd", "write outside", "tcp", "unix", "exec", "fork", "ptrace")} <= set(
        REFUSED
    )
    assert found["library"] == "done"
