"""Options that several commands share, and the consoles they print to."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from engine.clock import wall_ns
from engine.config import Settings, load
from engine.config.calendar import load_calendar
from engine.terminal.times import UTC, Times

if TYPE_CHECKING:
    from engine.client import PatrolClient  # imported late: gRPC loads slowly, and most commands do without it

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="TOML file. Without it, the defaults hold.")]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")]
ServerOption = Annotated[str, typer.Option("--server", help="gRPC address of the engine. Default: serve.grpc_listen.")]
TokenOption = Annotated[str, typer.Option("--token", envvar="PATROL_TOKEN", help="Bearer token of the engine.")]
CaOption = Annotated[
    Path | None, typer.Option("--ca", help="PEM file of the CA that signed the engine's certificate; implies TLS.")
]
UtcOption = Annotated[bool, typer.Option("--utc", help="Print times in UTC, not in the calendar's time zone.")]

OUT = Console(soft_wrap=False)
ERR = Console(stderr=True)


def settings_of(config: Path | None) -> Settings:
    """Return the settings of the file, or the defaults if it is None. Raises ConfigError if the file is wrong."""
    return load(config) if config is not None else Settings()


def times_of(settings: Settings, utc: bool) -> Times:
    """Return how times are printed: in the time zone of the calendar file, or in UTC. Raises ConfigError."""
    return Times(UTC if utc else load_calendar(settings.scheduler.calendar_file).timezone, wall_ns())


def camera_id_from(text: str) -> str:
    """Return the id of a camera that a user gives by its id, or by its name in the API (`cameras/ID`), as --json
    prints it. Raises InvalidArgumentError for a name without an id."""
    if not text.startswith("cameras/"):
        return text
    from engine.serve.messages.resource_names import camera_id_of

    return camera_id_of(text, "CAMERA")


@contextmanager
def client_of(settings: Settings, server: str, token: str, ca: Path | None) -> "Iterator[PatrolClient]":
    """Open a client of the engine at `server`, or at the configuration's address if it is empty."""
    from engine.client import PatrolClient
    from engine.client.channel import client_certificate, read_ca

    address = server or settings.serve.grpc_listen
    with PatrolClient(address, token=token, ca=read_ca(ca), certificate=client_certificate()) as client:
        yield client


def stop_on_signals() -> threading.Event:
    """Return an event that SIGINT and SIGTERM set."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    return stop
