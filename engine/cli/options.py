"""What several commands take, and where they print."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from engine.config import Settings, load

if TYPE_CHECKING:
    from engine.client import PatrolClient  # gRPC takes its time to load; most commands do without

ConfigOption = Annotated[Path | None, typer.Option("--config", "-c", help="TOML file; without it, the defaults.")]
JsonOption = Annotated[bool, typer.Option("--json", help="JSON on stdout instead of a table.")]
ServerOption = Annotated[str, typer.Option("--server", help="gRPC address of the engine; default: that of the config.")]
TokenOption = Annotated[str, typer.Option("--token", envvar="PATROL_TOKEN", help="Bearer token of the engine.")]
CaOption = Annotated[Path | None, typer.Option("--ca", help="PEM of who signed the engine's certificate; means TLS.")]

OUT = Console(soft_wrap=False)
ERR = Console(stderr=True)


def settings_of(config: Path | None) -> Settings:
    """Those of the file, or the defaults."""
    return load(config) if config is not None else Settings()


@contextmanager
def client_of(settings: Settings, server: str, token: str, ca: Path | None) -> "Iterator[PatrolClient]":
    """A client of the running engine."""
    from engine.client import PatrolClient

    address = server or settings.serve.grpc_listen
    with PatrolClient(address, token=token, ca=ca.read_bytes() if ca is not None else b"") as client:
        yield client


def stop_on_signals() -> threading.Event:
    """An event that SIGINT and SIGTERM set."""
    stop = threading.Event()

    def handle(number: int, frame: FrameType | None) -> None:
        del number, frame
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, handle)
    return stop
