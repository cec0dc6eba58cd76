"""The registry for the command line: through the engine's API if it runs, else straight from its database."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from engine.client import CallError, PatrolClient
from engine.config.schema import Settings
from engine.errors import RegistryError
from engine.interchange.registry_rules import restore_passwords
from engine.model.camera import Camera
from engine.model.registry import CameraQuery, CameraStatus, ImportReport, RowProblem
from engine.redact import MASK, redact
from engine.storage.db.store import Store

_PUT_ROWS = 1000
_PAGE_ROWS_MAX = 1000
_PROBLEMS_NAMED = 20

Problems = list[RowProblem]
"""The desks have a method `list`, so that the word means another thing inside them."""


class RegistryAccess(Protocol):
    """Where cameras are put and listed. `name` says which for people."""

    name: str

    def put(self, cameras: Iterable[Camera], keep_good: bool = False) -> ImportReport:
        """Add and change cameras; raises if one cannot be taken, unless `keep_good`."""

    def list(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Cameras of a filter, all pages."""


class ApiRegistry:
    """A running engine."""

    def __init__(self, client: PatrolClient, address: str) -> None:
        self._client = client
        self.name = f"the engine at {address}"

    def put(self, cameras: Iterable[Camera], keep_good: bool = False) -> ImportReport:
        """Add and change cameras; it visits them from now on."""
        report = self._client.import_cameras(cameras, keep_good=keep_good)
        if report.problems and not keep_good:
            raise RegistryError(f"{_named(report.problems)}; nothing was taken")
        return report

    def list(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Cameras of a filter, all pages."""
        return self._client.cameras(replace(query, page_size=_PAGE_ROWS_MAX))


class DatabaseRegistry:
    """The database itself; of an engine that does not run, as a rule."""

    def __init__(self, store: Store, url: str, with_passwords: bool = False) -> None:
        self._store = store
        self._with_passwords = with_passwords
        self.name = f"the database {redact(url)}"

    def put(self, cameras: Iterable[Camera], keep_good: bool = False) -> ImportReport:
        """Add and change cameras, all or none; the engine visits them from its next start on."""
        problems: Problems = []
        counts = self._store.put_cameras(self._restored(cameras, problems, keep_good))
        return ImportReport(*counts, tuple(problems))

    def list(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Cameras of a filter, all pages; passwords of URLs taken out as the API does, unless they were asked for."""
        query = replace(query, page_size=_PAGE_ROWS_MAX)
        while True:
            page = self._store.page(query)
            for one in page.cameras:
                url = one.camera.url if self._with_passwords else redact(one.camera.url)
                yield replace(one, camera=replace(one.camera, url=url))
            if page.next_after is None:
                return
            query = replace(query, after=page.next_after)

    def _restored(self, cameras: Iterable[Camera], problems: Problems, keep_good: bool) -> Iterator[Camera]:
        """With passwords put back; rows where there is none go to `problems`."""
        for put, chunk in _chunks(cameras):
            masked = [camera.camera_id for camera in chunk if MASK in camera.url]
            restored, bad = restore_passwords(chunk, self._store.urls(masked) if masked else {})
            if bad and not keep_good:
                raise RegistryError(f"{_named(bad)}; nothing was taken")
            problems += [replace(one, index=put + one.index) for one in bad]
            left_out = {one.index for one in bad}
            yield from (camera for index, camera in enumerate(restored) if index not in left_out)


@contextmanager
def open_registry(settings: Settings, server: str, token: str, ca: Path | None) -> Iterator[RegistryAccess]:
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
            yield ApiRegistry(client, address)
            return
    with open_database_registry(settings) as desk:
        desk.name += " (no engine is running)"
        yield desk


@contextmanager
def open_database_registry(settings: Settings, with_passwords: bool = False) -> Iterator[DatabaseRegistry]:
    """The database, whether an engine runs or not."""
    store = Store.open(settings.record.url)
    try:
        yield DatabaseRegistry(store, settings.record.url, with_passwords)
    finally:
        store.close()


def camera_json(status: CameraStatus) -> dict[str, Any]:
    """A camera and its latest verdict as JSON."""
    return {"camera": asdict(status.camera), "latest": None if status.latest is None else asdict(status.latest)}


def _named(problems: Sequence[RowProblem]) -> str:
    return "; ".join(f"{one.value}: {one.message}" for one in problems[:_PROBLEMS_NAMED])


def _chunks(cameras: Iterable[Camera]) -> Iterator[tuple[int, list[Camera]]]:
    """Some rows at a time, each with the number of rows before it."""
    coming, before = iter(cameras), 0
    while chunk := list(islice(coming, _PUT_ROWS)):
        yield before, chunk
        before += len(chunk)
