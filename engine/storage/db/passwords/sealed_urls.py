"""The sealed URLs in the table of cameras: seals those in clear, changes the key, finds those that no key opens."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from engine.redact import redact_url
from engine.storage.db.passwords.keys import KeyUnavailableError
from engine.storage.db.passwords.scrub import mark_pending
from engine.storage.db.passwords.sealer import PREFIX_BYTES, Sealer, StoredUrl
from engine.storage.db.tables import cameras

_CHUNK_ROWS = 1000


class UrlColumns(NamedTuple):
    """The columns of one URL: without its secrets, and the whole of it, sealed."""

    url: "sa.Column[Any]"
    sealed: "sa.Column[Any]"


COLUMNS = (
    UrlColumns(cameras.c.url, cameras.c.sealed_url),
    UrlColumns(cameras.c.sub_url, cameras.c.sealed_sub_url),
)
"""Of a camera's main stream, and of its sub-stream, which was never stored in clear."""
_MAIN = COLUMNS[0]


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


def stored(connection: Connection, camera_id: str, columns: UrlColumns = _MAIN) -> StoredUrl | None:
    """Return a camera's URL as it is stored; None if the camera is not in the registry."""
    row = connection.execute(sa.select(*columns).where(cameras.c.camera_id == camera_id)).first()
    return None if row is None else StoredUrl(row[0], row[1])


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
    rows = _chunk(connection, _MAIN, cameras.c.sealed_url.is_(None), after)
    if not rows:
        return None
    with_secret = [row for row in rows if redact_url(row.url) != row.url]
    urls = [(row.camera_id, seal(connection, sealer, row.camera_id, row.url)) for row in with_secret]
    _store(connection, _MAIN, urls)
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
    for columns in COLUMNS:
        for rows in _chunks(connection, columns):
            changed = []
            for camera_id, shown, sealed_url in rows:
                url = old.open(camera_id, StoredUrl(shown, sealed_url))
                if url == shown:
                    unreadable += 1
                else:
                    changed.append((camera_id, new.seal(camera_id, url)))
            _store(connection, columns, changed)
            sealed += len(changed)
    return Resealed(sealed, unreadable)


def unreadable(connection: Connection, sealer: Sealer) -> int:
    """Return how many URLs are sealed with a key that is not there."""
    counts: list[tuple[bytes, int]] = []
    for _, column in COLUMNS:
        beginning = sa.func.substr(column, 1, PREFIX_BYTES)
        query = sa.select(beginning, sa.func.count()).where(column.is_not(None)).group_by(beginning)
        counts += ((bytes(prefix)[1:], int(number)) for prefix, number in connection.execute(query))
    known = sealer.key_ids() if counts else set()
    return sum(number for key_id, number in counts if key_id not in known)


LOST_KEY_REMEDY = (
    "the URLs in the database are sealed with a key that is gone; bring the key file back and start the engine again, "
    "or, if it is lost, run `patrol db rotate-key --lost` and import the cameras with their passwords"
)


def _any_sealed(connection: Connection) -> bool:
    is_sealed = sa.or_(*(columns.sealed.is_not(None) for columns in COLUMNS))
    return connection.scalar(sa.select(cameras.c.camera_id).where(is_sealed).limit(1)) is not None


def _chunks(connection: Connection, columns: UrlColumns) -> Iterator[list[Any]]:
    """Yield the sealed URLs in chunks, by position: those that are changed meanwhile are not read twice."""
    after = ""
    while rows := _chunk(connection, columns, columns.sealed.is_not(None), after):
        yield rows
        after = rows[-1].camera_id


def _chunk(connection: Connection, columns: UrlColumns, which: "sa.ColumnElement[bool]", after: str) -> list[Any]:
    query = sa.select(cameras.c.camera_id, *columns).where(which, cameras.c.camera_id > after)
    return list(connection.execute(query.order_by(cameras.c.camera_id).limit(_CHUNK_ROWS)))


def _store(connection: Connection, columns: UrlColumns, urls: list[tuple[str, StoredUrl]]) -> None:
    if not urls:
        return
    update = (
        sa.update(cameras)
        .where(cameras.c.camera_id == sa.bindparam("of_camera"))
        .values({columns.url: sa.bindparam("new_url"), columns.sealed: sa.bindparam("new_sealed")})
    )
    connection.execute(
        update, [{"of_camera": camera_id, "new_url": url.shown, "new_sealed": url.sealed} for camera_id, url in urls]
    )
