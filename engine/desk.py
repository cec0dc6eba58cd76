"""The registry for the command line: through the engine's API if it runs, else straight from its database."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Protocol

from engine.config.schema import Settings
from engine.errors import ConfigError, RegistryError
from engine.feed.source import check_url
from engine.record.registry import CsvImport, decode_csv, read_csv
from engine.record.store import Store
from engine.redact import redact
from engine.replies import CameraQuery, CameraStatus, ImportReport
from engine.serve.client import CallError, PatrolClient
from engine.types import Camera

_FILE_BYTES_MAX = 512 * 1024 * 1024


class Desk(Protocol):
    """Where cameras are put and listed. `name` says which for people."""

    name: str

    def put(self, cameras: Sequence[Camera]) -> ImportReport:
        """Add and change cameras."""

    def list(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Cameras of a filter, all pages."""


class EngineDesk:
    """A running engine."""

    def __init__(self, client: PatrolClient, address: str) -> None:
        self._client = client
        self.name = f"the engine at {address}"

    def put(self, cameras: Sequence[Camera]) -> ImportReport:
        """Add and change cameras; it visits them from now on."""
        return self._client.import_cameras(cameras)

    def list(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Cameras of a filter, all pages."""
        return self._client.cameras(query)


class StoreDesk:
    """The database of an engine that does not run."""

    def __init__(self, store: Store, url: str) -> None:
        self._store = store
        self.name = f"the database {redact(url)} (no engine is running)"

    def put(self, cameras: Sequence[Camera]) -> ImportReport:
        """Add and change cameras; the engine visits them from its next start on."""
        return ImportReport(*self._store.put_cameras(cameras))

    def list(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Cameras of a filter, all pages; passwords of URLs taken out as the API does."""
        while True:
            page = self._store.page(query)
            for one in page.cameras:
                yield replace(one, camera=replace(one.camera, url=redact(one.camera.url)))
            if not page.next_page_token:
                return
            query = replace(query, page_token=page.next_page_token)


@contextmanager
def open_desk(settings: Settings, server: str, token: str, ca: Path | None) -> Iterator[Desk]:
    """The engine if it answers; the database if it does not and no `server` was named."""
    address = server or settings.serve.grpc_listen
    authority = ca.read_bytes() if ca is not None else b""
    with PatrolClient(address, token=token, ca=authority) as client:
        try:
            client.status()
        except CallError as error:
            if server or error.status != "UNAVAILABLE":
                raise
        else:
            yield EngineDesk(client, address)
            return
    store = Store.open(settings.record.url)
    try:
        yield StoreDesk(store, settings.record.url)
    finally:
        store.close()


def read_registry(file: Path, settings: Settings) -> CsvImport:
    """Cameras of a CSV file; raises ConfigError or RegistryError if it cannot be read at all."""
    try:
        if file.stat().st_size > _FILE_BYTES_MAX:
            raise RegistryError(f"{file}: more than {_FILE_BYTES_MAX} bytes; split it")
        raw = file.read_bytes()
    except OSError as error:
        raise ConfigError(f"{file}: {error.strerror}; give the path of a CSV file") from error
    return read_csv(decode_csv(raw), lambda url: check_url(url, settings.feed.schemes))


def camera_json(status: CameraStatus) -> dict[str, Any]:
    """A camera and its latest verdict as JSON."""
    return {"camera": asdict(status.camera), "latest": None if status.latest is None else asdict(status.latest)}
