"""Opens the database for commands: those that read never create one, those that write say when they did."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from engine.cli.options import ERR
from engine.config import Settings
from engine.errors import NoDatabaseError

if TYPE_CHECKING:
    from engine.storage.db.store import Store  # imported late: SQLAlchemy loads slowly


@contextmanager
def open_to_read(settings: Settings) -> "Iterator[Store]":
    """Open the database that the configuration names; create nothing. Raises NoDatabaseError, StoreError."""
    from engine.storage.db.passwords.keys import source_of
    from engine.storage.db.store import Store

    store = Store.open_existing(settings.record.url, source_of(settings.record))
    try:
        yield store
    finally:
        store.close()


@contextmanager
def open_to_write(settings: Settings) -> "Iterator[Store]":
    """Open the database that the configuration names; create it if there is none, and say so. Raises StoreError."""
    from engine.storage.db.passwords.keys import source_of
    from engine.storage.db.store import Store

    store = Store.open(settings.record.url, source_of(settings.record))
    try:
        say_created(store.created)
        yield store
    finally:
        store.close()


def say_created(name: str) -> None:
    """Say on stderr that this database is new; nothing for an empty name."""
    if name:
        ERR.out(f"the database {name} is new", highlight=False)


def remedy(error: NoDatabaseError) -> str:
    """Return the error with what a user can do about it."""
    return (
        f"{error}; `patrol run` and `patrol cameras import FILE` create it. If it is elsewhere: --config names the "
        "file whose record.url says where. Commands with --server can ask a running engine instead"
    )
