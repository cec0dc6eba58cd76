"""What the engine's processes inherit: no proxy that nobody configured."""

import os
from pathlib import Path

import pytest

from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.schema import LogSettings, RecordSettings, Settings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.supervisor.app import Supervisor
from engine.supervisor.environment import child_environment


def test_proxies_are_left_out_and_all_else_is_kept() -> None:
    given = {
        "PATH": "/bin",
        "http_proxy": "a",
        "HTTPS_PROXY": "b",
        "All_Proxy": "c",
        "no_proxy": "d",
        "GRPC_VERBOSITY": "INFO",
    }
    assert child_environment(given) == {"PATH": "/bin", "GRPC_VERBOSITY": "INFO"}
    assert child_environment({}) == {"GRPC_VERBOSITY": "ERROR"}
    assert child_environment({}, serves_tls=True) == {"GRPC_VERBOSITY": "INFO"}


def test_no_process_of_the_engine_has_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTPS_PROXY", "ALL_PROXY", "grpc_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    settings = Settings(
        record=RecordSettings(url=f"sqlite:///{tmp_path}/p.db", evidence_dir=str(tmp_path / "ev")),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen=""),
        web=WebSettings(listen="127.0.0.1:0"),
        intake=IntakeSettings(listen=""),
        worker=WorkerSettings(count=1, spare=False),
        feed=FeedSettings(demuxers=1),
        log=LogSettings(level="warning"),
    )
    with Supervisor(settings) as engine:
        pids = engine.pids()
        assert len(pids) == 5
        for name, pid in pids.items():
            entries = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
            names = {entry.partition("=")[0].lower() for entry in entries}
            assert not {each for each in names if each.endswith("_proxy")}, name
    assert os.environ["http_proxy"]
