"""The sealed URLs in the table of cameras: seals those in clear, changes the key, finds those that no key opens."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.redact import redact_url
from engine.storage.db.passwords.keys import KeyUnavailableError
from engine.storage.db.passwords.scrub import mark_pending
from engine.storage.db.passwords.sealer import PREFIX_BYTES, Sealer, StoredUrl
from engine.storage.db.tables import cameras

_CHUNK_ROWS = 1000


@dataclass(frozen=True, slots=True)
class SealedBatch:
    """The last camera of a batch, and how many of its URLs were in clear."""

    last_camera_id: str
    sealed: int


@dataclass(frozen=True, slots=True)
class Resealed:
    """How many URLs were sealed anew, and how many no key opens: those stay as they are."""

    sealed: int
    unreadable: int


def stored(connection: Connection, camera_id: str) -> StoredUrl | None:
    """Return a camera's URL as it is stored; None if the camera is not in the registry."""
    query = sa.select(cameras.c.url, cameras.c.sealed_url).where(cameras.c.camera_id == camera_id)
    row = connection.execute(query).first()
    return None if row is None else StoredUrl(row.url, row.sealed_url)


def seal(connection: Connection, sealer: Sealer, camera_id: str, url: str) -> StoredUrl:
    """Return a URL as it is to be stored; make the first key if nothing is sealed yet. Raises KeyUnavailableError."""
    try:
        return sealer.seal(camera_id, url)
    except KeyUnavailableError as error:
        if not error.missing or sealer.source.file is None:
            raise
        if _any_sealed(connection):
            raise KeyUnavailableError(f"{error}; {LOST_KEY_REMEDY}") from error
    sealer.create()
    return sealer.seal(camera_id, url)


def seal_clear(connection: Connection, sealer: Sealer) -> int:
    """Seal the URLs that hold a secret in clear; return how many did. Raises KeyUnavailableError."""
    number, after = 0, ""
    while (batch := seal_batch(connection, sealer, after)) is not None:
        after = batch.last_camera_id
        number += batch.sealed
    return number


def seal_batch(connection: Connection, sealer: Sealer, after: str) -> SealedBatch | None:
    """Seal those in clear of the next thousand cameras after one by its id; None if no camera is left.

    What the file keeps of the old rows is then to be scrubbed, which is noted with them. Raises KeyUnavailableError.
    """
    rows = _chunk(connection, cameras.c.sealed_url.is_(None), after)
    if not rows:
        return None
    with_secret = [row for row in rows if redact_url(row.url) != row.url]
    _store(connection, [(row.camera_id, seal(connection, sealer, row.camera_id, row.url)) for row in with_secret])
    if with_secret:
        mark_pending(connection)
    return SealedBatch(rows[-1].camera_id, len(with_secret))


def count_clear(connection: Connection) -> int:
    """Return how many URLs hold a secret in clear; of a schema before sealing, too."""
    columns = {column["name"] for column in sa.inspect(connection).get_columns(cameras.name)}
    query = sa.select(cameras.c.url)
    if cameras.c.sealed_url.name in columns:
        query = query.where(cameras.c.sealed_url.is_(None))
    return sum(redact_url(url) != url for url in connection.scalars(query))


def reseal(connection: Connection, old: Sealer, new: Sealer) -> Resealed:
    """Seal all URLs with the first key of `new`. Raises KeyUnavailableError."""
    sealed = unreadable = 0
    for rows in _chunks(connection, cameras.c.sealed_url.is_not(None)):
        changed = []
        for row in rows:
            url = old.open(row.camera_id, StoredUrl(row.url, row.sealed_url))
            if url == row.url:
                unreadable += 1
            else:
                changed.append((row.camera_id, new.seal(row.camera_id, url)))
        _store(connection, changed)
        sealed += len(changed)
    return Resealed(sealed, unreadable)


def unreadable(connection: Connection, sealer: Sealer) -> int:
    """Return how many URLs are sealed with a key that is not there."""
    beginning = sa.func.substr(cameras.c.sealed_url, 1, PREFIX_BYTES)
    query = sa.select(beginning, sa.func.count()).where(cameras.c.sealed_url.is_not(None)).group_by(beginning)
    counts = [(bytes(prefix)[1:], int(number)) for prefix, number in connection.execute(query)]
    known = sealer.key_ids() if counts else set()
    return sum(number for key_id, number in counts if key_id not in known)


LOST_KEY_REMEDY = (
    "the URLs in the database are sealed with a key that is gone; bring the key file back and start the engine again, "
    "or, if it is lost, run `patrol db rotate-key --lost` and import the cameras with their passwords"
)


def _any_sealed(connection: Connection) -> bool:
    return (
        connection.scalar(sa.select(cameras.c.camera_id).where(cameras.c.sealed_url.is_not(None)).limit(1)) is not None
    )


def _chunks(connection: Connection, which: "sa.ColumnElement[bool]") -> Iterator[list[Any]]:
    """Yield the rows of cameras in chunks, by position: those that are changed meanwhile are not read twice."""
    after = ""
    while rows := _chunk(connection, which, after):
        yield rows
        after = rows[-1].camera_id


def _chunk(connection: Connection, which: "sa.ColumnElement[bool]", after: str) -> list[Any]:
    query = sa.select(cameras.c.camera_id, cameras.c.url, cameras.c.sealed_url).where(
        which, cameras.c.camera_id > after
    )
    return list(connection.execute(query.order_by(cameras.c.camera_id).limit(_CHUNK_ROWS)))


def _store(connection: Connection, urls: list[tuple[str, StoredUrl]]) -> None:
    if not urls:
        return
    update = (
        sa.update(cameras)
        .where(cameras.c.camera_id == sa.bindparam("of_camera"))
        .values(url=sa.bindparam("new_url"), sealed_url=sa.bindparam("new_sealed"))
    )
    connection.execute(
        update, [{"of_camera": camera_id, "new_url": url.shown, "new_sealed": url.sealed} for camera_id, url in urls]
    )
