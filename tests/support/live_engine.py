"""Settings, cameras and metrics of whole engines that tests start."""

import urllib.request
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

from engine.config import Settings
from engine.config.feed import FeedSettings
from engine.config.intake import IntakeSettings
from engine.config.ledger import LedgerSettings
from engine.config.schema import LogSettings, RecordSettings, SchedulerSettings, WorkerSettings
from engine.config.serve import ServeSettings
from engine.config.web import WebSettings
from engine.model.camera import Camera

HEALTHY, DARK, LOCKED = 0, 1, 6
"""Numbers of cameras of the demo's county: one without a fault, one too dark, one that refuses our password."""
REFUSING_CAMERAS = 12

Labels = tuple[tuple[str, str], ...]
"""Names and values of a sample's labels, sorted by name."""


def fast_scheduler(**changes: Any) -> SchedulerSettings:
    """Every camera is visited once in two seconds."""
    quick = dict.fromkeys(("key_period_s", "ordinary_period_s", "suspicious_period_s", "backoff_stream_first_s"), 2)
    quick |= {"backoff_connect_first_s": 2, "backoff_lasting_first_s": 2, "backoff_max_s": 3, "confirm_spacing_s": 1}
    return SchedulerSettings(**(quick | changes))


def settings(folder: Path, **changes: Any) -> Settings:
    """Settings of an engine with one worker, a database in `folder` and ports of its own choice."""
    sections = {
        "feed": FeedSettings(deadline_s=3, connect_timeout_s=1, demuxers=0),
        "intake": IntakeSettings(listen="tcp://127.0.0.1:0"),
        "worker": WorkerSettings(count=1, spare=False),
        "scheduler": fast_scheduler(),
        "record": RecordSettings(
            url=f"sqlite:///{folder}/patrol.db", evidence_dir=f"{folder}/ev", quarantine_dir=f"{folder}/q"
        ),
        "serve": ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen="127.0.0.1:0"),
        "web": WebSettings(enabled=False),
        "log": LogSettings(level="warning"),
    }
    return Settings(**(sections | changes))


def refusing_settings(folder: Path, grpc_port: int) -> Settings:
    """Settings for `refusing_cameras`: a verdict each second and camera, at next to no cost."""
    once_a_second: dict[str, Any] = dict.fromkeys(
        (
            "key_period_s", "ordinary_period_s", "suspicious_period_s",
            "backoff_stream_first_s", "backoff_connect_first_s", "backoff_lasting_first_s", "backoff_max_s",
        ),
        1,
    )  # fmt: skip
    return Settings(
        feed=FeedSettings(deadline_s=3, connect_timeout_s=1, demuxers=0),
        intake=IntakeSettings(listen=""),
        worker=WorkerSettings(count=1, spare=False),
        scheduler=SchedulerSettings(**once_a_second, outage_cameras_min=1000),
        record=RecordSettings(url=f"sqlite:///{folder}/patrol.db", evidence_dir=f"{folder}/ev"),
        serve=ServeSettings(grpc_listen=f"127.0.0.1:{grpc_port}", metrics_listen=""),
        web=WebSettings(enabled=False),
        ledger=LedgerSettings(offline_min_h=0),
        log=LogSettings(level="error"),
    )


def refusing_cameras(port: int) -> list[Camera]:
    """Cameras of two counties whose port nobody listens on: all are offline."""
    regions = ("130102", "130203")
    return [
        Camera(f"c{n}", f"rtsp://u:p@127.0.0.1:{port}/{n}", region=regions[n % 2], uplink=f"u{n}")
        for n in range(REFUSING_CAMERAS)
    ]


def scrape(address: str) -> dict[tuple[str, Labels], float]:
    """Return the samples that the metrics server at `address` shows, by name and labels."""
    with urllib.request.urlopen(f"http://{address}/metrics") as reply:
        text = reply.read().decode()
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
