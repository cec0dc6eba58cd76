"""Gives commands access to the registry: through the engine's API if it runs, else in its database."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any, Protocol

from engine.client import CallError, PatrolClient
from engine.client.channel import client_certificate, read_ca
from engine.config.schema import Settings
from engine.errors import RegistryError
from engine.feed.camera_url import check_url
from engine.interchange.registry_rules import check_cameras, is_masked, masked, restore_passwords
from engine.model.camera import Camera
from engine.model.registry import CameraQuery, CameraStatus, ImportReport, RowProblem
from engine.redact import redact
from engine.serve.messages.convert import MESSAGE_FIELD
from engine.storage.db.passwords.keys import source_of
from engine.storage.db.store import Store
from engine.storage.evidence.kept_pictures import KeptPictures

_CHUNK_ROWS = 1000
_PAGE_ROWS_MAX = 1000
_PROBLEMS_SHOWN = 20


class RegistryAccess(Protocol):
    """Where a command reads and writes cameras.

    `name` says for people where that is. `created`: the name of the database if it was created just now, else empty.
    """

    name: str
    created: str

    def upsert(self, cameras: Iterable[Camera], keep_good: bool = False, *, dry_run: bool = False) -> ImportReport:
        """Add or replace cameras. Raises RegistryError if one is not allowed, unless `keep_good`; then nothing is
        written. `dry_run`: write nothing, and report what would change."""

    def cameras(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Yield the cameras that match the query, over all pages."""

    def add(self, camera: Camera) -> CameraStatus:
        """Add one camera. Raises PatrolError if it is not allowed, or its id is in the registry."""

    def change(self, camera_id: str, values: Mapping[str, Any]) -> CameraStatus:
        """Change these fields of one camera, by their names in Camera. Raises PatrolError as `add`, and if there is no
        such camera."""

    def remove(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Remove cameras and what is kept about them; return how many were removed, and the ids that are unknown."""


class ApiRegistry:
    """The registry of a running engine, through its API."""

    def __init__(self, client: PatrolClient, address: str) -> None:
        self._client = client
        self.name = f"the engine at {address}"
        self.created = ""

    def upsert(self, cameras: Iterable[Camera], keep_good: bool = False, *, dry_run: bool = False) -> ImportReport:
        """Add or replace cameras; the engine visits them from now on. Raises RegistryError as RegistryAccess says."""
        report = self._client.import_cameras(cameras, keep_good=keep_good, validate_only=dry_run)
        if report.problems and not keep_good:
            raise RegistryError(f"{_summary(report.problems)}; nothing was taken")
        return report

    def cameras(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Yield the cameras that match the query, over all pages."""
        return self._client.cameras(replace(query, page_size=_PAGE_ROWS_MAX))

    def add(self, camera: Camera) -> CameraStatus:
        """Add one camera; the engine visits it from now on. Raises CallError."""
        return self._client.create_camera(camera)

    def change(self, camera_id: str, values: Mapping[str, Any]) -> CameraStatus:
        """Change these fields of one camera, and no other. Raises CallError."""
        camera = Camera(**{"camera_id": camera_id, "url": "", **values})
        return self._client.update_camera(camera, [MESSAGE_FIELD.get(name, name) for name in values])

    def remove(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Remove cameras and what is kept about them. Raises CallError."""
        return self._client.remove_cameras(camera_ids)


class DatabaseRegistry:
    """The registry in the database, usually of an engine that is not running."""

    def __init__(self, store: Store, settings: Settings, with_passwords: bool = False) -> None:
        url = settings.record.url
        self._store = store
        self._settings = settings
        self._with_passwords = with_passwords
        self.name = f"the database {redact(url)}"
        self.created = store.created

    def upsert(self, cameras: Iterable[Camera], keep_good: bool = False, *, dry_run: bool = False) -> ImportReport:
        """Add or replace cameras in one transaction; the engine visits them from its next start on.

        Raises RegistryError if a masked password cannot be restored, unless `keep_good`; then nothing is written.
        """
        problems: list[RowProblem] = []
        write = self._store.registry.compare if dry_run else self._store.registry.upsert
        counts = write(self._restored(cameras, problems, keep_good))
        return ImportReport(*counts, tuple(problems))

    def cameras(self, query: CameraQuery) -> Iterator[CameraStatus]:
        """Yield the cameras that match the query, over all pages; passwords are masked unless `with_passwords`."""
        query = replace(query, page_size=_PAGE_ROWS_MAX)
        while True:
            page = self._store.registry.page(query)
            for status in page.cameras:
                yield status if self._with_passwords else replace(status, camera=masked(status.camera))
            if page.next_after is None:
                return
            query = replace(query, after=page.next_after)

    def add(self, camera: Camera) -> CameraStatus:
        """Add one camera; the engine visits it from its next start on. Raises RegistryError as RegistryAccess says."""
        if self._store.registry.get(camera.camera_id) is not None:
            raise RegistryError(
                f"camera {camera.camera_id!r} is in {self.name} already; change it with `patrol cameras edit`"
            )
        return self._write(camera)

    def change(self, camera_id: str, values: Mapping[str, Any]) -> CameraStatus:
        """Change these fields of one camera. Raises RegistryError as RegistryAccess says."""
        status = self._store.registry.get(camera_id)
        if status is None:
            raise unknown_camera(camera_id, self.name)
        return self._write(replace(status.camera, **values))

    def remove(self, camera_ids: Sequence[str]) -> tuple[int, tuple[str, ...]]:
        """Remove cameras, their verdicts and their latest pictures; exhibits stay, because the ledger cites them."""
        removed = self._store.registry.remove(camera_ids)
        pictures = KeptPictures(Path(self._settings.record.evidence_dir))
        for camera_id in removed:
            pictures.remove(camera_id)
        gone = set(removed)
        return len(removed), tuple(camera_id for camera_id in camera_ids if camera_id not in gone)

    def _write(self, camera: Camera) -> CameraStatus:
        problems = check_cameras([camera], partial(check_url, schemes=self._settings.feed.schemes))
        if problems:
            raise RegistryError("; ".join(map(_sentence, problems)))
        self.upsert([camera])
        status = self._store.registry.get(camera.camera_id)
        if status is None:  # somebody else removed it in this moment
            raise unknown_camera(camera.camera_id, self.name)
        return replace(status, camera=masked(status.camera))

    def _restored(self, cameras: Iterable[Camera], problems: list[RowProblem], keep_good: bool) -> Iterator[Camera]:
        """Yield cameras with their passwords restored; rows where that fails are left out and added to `problems`."""
        for offset, chunk in _chunks(cameras):
            to_restore = [camera.camera_id for camera in chunk if is_masked(camera)]
            restored, bad = restore_passwords(chunk, self._store.registry.urls(to_restore) if to_restore else {})
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
    with running_engine(settings, server, token, ca) as client:
        if client is not None:
            yield ApiRegistry(client, server or settings.serve.grpc_listen)
            return
    with open_database_registry(settings, create=create) as registry:
        registry.name += " (no engine is running)"
        yield registry


@contextmanager
def open_database_registry(
    settings: Settings, with_passwords: bool = False, *, create: bool = False
) -> Iterator[DatabaseRegistry]:
    """Open the registry in the database, whether an engine runs or not; `create` as in open_registry."""
    open_store = Store.open if create else Store.open_existing
    store = open_store(settings.record.url, source_of(settings.record))
    try:
        yield DatabaseRegistry(store, settings, with_passwords)
    finally:
        store.close()


@contextmanager
def running_engine(settings: Settings, server: str, token: str, ca: Path | None) -> Iterator[PatrolClient | None]:
    """Open a client of the engine at `server`, or at the configuration's address if it is empty.

    None if `server` is empty and no engine answers there. Raises CallError if the one at `server` does not answer.
    """
    address = server or settings.serve.grpc_listen
    with PatrolClient(address, token=token, ca=read_ca(ca), certificate=client_certificate()) as client:
        try:
            client.status()
        except CallError as error:
            if server or error.status != "UNAVAILABLE":
                raise
        else:
            yield client
            return
    yield None


def unknown_camera(camera_id: str, where: str) -> RegistryError:
    """Return the error for an id that is not in the registry."""
    return RegistryError(f"camera {camera_id!r} is not in {where}; `patrol cameras list` shows all")


def _sentence(problem: RowProblem) -> str:
    value = "" if problem.value in problem.message else f" {problem.value!r}"
    return f"{problem.column}{value}: {problem.message}"


def _summary(problems: Sequence[RowProblem]) -> str:
    return "; ".join(f"{problem.value}: {problem.message}" for problem in problems[:_PROBLEMS_SHOWN])


def _chunks(cameras: Iterable[Camera]) -> Iterator[tuple[int, list[Camera]]]:
    """Yield chunks of rows, each with the number of rows before it."""
    pending, before = iter(cameras), 0
    while chunk := list(islice(pending, _CHUNK_ROWS)):
        yield before, chunk
        before += len(chunk)
