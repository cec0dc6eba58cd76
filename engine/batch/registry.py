"""Gives commands access to the registry: through the engine's API if it runs, else in its database."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from engine.client import CallError, PatrolClient, read_ca
from engine.config.schema import Settings
from engine.errors import RegistryError
from engine.interchange.registry_rules import restore_passwords
from engine.model.camera import Camera
from engine.model.registry import CameraQuery, CameraStatus, ImportReport, RowProblem
from engine.redact import MASK, redact
from engine.storage.db.store import Store

_CHUNK_ROWS = 1000
_PAGE_ROWS_MAX = 1000
_PROBLEMS_SHOWN = 20


class RegistryAccess(Protocol):
    """Where a command reads and writes cameras.

    `name` says for people where that is. `created`: the name of the database if it was created just now, else empty.
    """

    name: str
    created: str

    def upsert(self, cameras: Iterable[Camera], keep_good: bool = False) -> ImportReport:
        """Add or replace cameras. Raises RegistryError if one is not allowed, unless `keep_good`; then nothing is
        written."""

    def cameras(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Yield the cameras that match the query, over all pages."""


class ApiRegistry:
    """The registry of a running engine, through its API."""

    def __init__(self, client: PatrolClient, address: str) -> None:
        self._client = client
        self.name = f"the engine at {address}"
        self.created = ""

    def upsert(self, cameras: Iterable[Camera], keep_good: bool = False) -> ImportReport:
        """Add or replace cameras; the engine visits them from now on. Raises RegistryError as RegistryAccess says."""
        report = self._client.import_cameras(cameras, keep_good=keep_good)
        if report.problems and not keep_good:
            raise RegistryError(f"{_summary(report.problems)}; nothing was taken")
        return report

    def cameras(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Yield the cameras that match the query, over all pages."""
        return self._client.cameras(replace(query, page_size=_PAGE_ROWS_MAX))


class DatabaseRegistry:
    """The registry in the database, usually of an engine that is not running."""

    def __init__(self, store: Store, url: str, with_passwords: bool = False) -> None:
        self._store = store
        self._with_passwords = with_passwords
        self.name = f"the database {redact(url)}"
        self.created = store.created

    def upsert(self, cameras: Iterable[Camera], keep_good: bool = False) -> ImportReport:
        """Add or replace cameras in one transaction; the engine visits them from its next start on.

        Raises RegistryError if a masked password cannot be restored, unless `keep_good`; then nothing is written.
        """
        problems: list[RowProblem] = []
        counts = self._store.registry.upsert(self._restored(cameras, problems, keep_good))
        return ImportReport(*counts, tuple(problems))

    def cameras(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Yield the cameras that match the query, over all pages; passwords are masked unless `with_passwords`."""
        query = replace(query, page_size=_PAGE_ROWS_MAX)
        while True:
            page = self._store.registry.page(query)
            for status in page.cameras:
                url = status.camera.url if self._with_passwords else redact(status.camera.url)
                yield replace(status, camera=replace(status.camera, url=url))
            if page.next_after is None:
                return
            query = replace(query, after=page.next_after)

    def _restored(self, cameras: Iterable[Camera], problems: list[RowProblem], keep_good: bool) -> Iterator[Camera]:
        """Yield cameras with their passwords restored; rows where that fails are left out and added to `problems`."""
        for offset, chunk in _chunks(cameras):
            masked = [camera.camera_id for camera in chunk if MASK in camera.url]
            restored, bad = restore_passwords(chunk, self._store.registry.urls(masked) if masked else {})
            if bad and not keep_good:
                raise RegistryError(f"{_summary(bad)}; nothing was taken")
            problems += [replace(problem, index=offset + problem.index) for problem in bad]
            left_out = {problem.index for problem in bad}
            yield from (camera for index, camera in enumerate(restored) if index not in left_out)


@contextmanager
def open_registry(
    settings: Settings, server: str, token: str, ca: Path | None, *, create: bool = False
) -> Iterator[RegistryAccess]:
    """Open the registry of the engine if it answers; else, unless `server` names one, the database.

    `create`: create the database if there is none, for commands that write. Raises NoDatabaseError without it.
    """
    address = server or settings.serve.grpc_listen
    with PatrolClient(address, token=token, ca=read_ca(ca)) as client:
        try:
            client.status()
        except CallError as error:
            if server or error.status != "UNAVAILABLE":
                raise
        else:
            yield ApiRegistry(client, address)
            return
    with open_database_registry(settings, create=create) as registry:
        registry.name += " (no engine is running)"
        yield registry


@contextmanager
def open_database_registry(
    settings: Settings, with_passwords: bool = False, *, create: bool = False
) -> Iterator[DatabaseRegistry]:
    """Open the registry in the database, whether an engine runs or not; `create` as in open_registry."""
    store = Store.open(settings.record.url) if create else Store.open_existing(settings.record.url)
    try:
        yield DatabaseRegistry(store, settings.record.url, with_passwords)
    finally:
        store.close()


def camera_json(status: CameraStatus) -> dict[str, Any]:
    """Return a camera and its latest verdict as JSON."""
    return {"camera": asdict(status.camera), "latest": None if status.latest is None else asdict(status.latest)}


def _summary(problems: Sequence[RowProblem]) -> str:
    return "; ".join(f"{problem.value}: {problem.message}" for problem in problems[:_PROBLEMS_SHOWN])


def _chunks(cameras: Iterable[Camera]) -> Iterator[tuple[int, list[Camera]]]:
    """Yield chunks of rows, each with the number of rows before it."""
    pending, before = iter(cameras), 0
    while chunk := list(islice(pending, _CHUNK_ROWS)):
        yield before, chunk
        before += len(chunk)
