"""Examines the database: is it there, of the right schema, free, and what do registry, tokens and log say."""

import fcntl
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from engine.doctor.certificates import expiry
from engine.doctor.diagnosis import Diagnosis, fault, ok, warning
from engine.errors import StoreError
from engine.model.access import Token
from engine.model.camera import Camera
from engine.storage.db import schema
from engine.storage.db.database import parse_url, sqlite_file
from engine.storage.db.passwords.keys import KeySource
from engine.storage.db.passwords.sealed_urls import LOST_KEY_REMEDY
from engine.storage.db.store import Store


@dataclass(frozen=True, slots=True)
class Contents:
    """What the database holds. `newest_wall_ns`: time of the newest verdict, 0 if there is none. `unreadable`: cameras
    whose URL no key opens, and `why`, if that is known."""

    cameras: Sequence[Camera] = ()
    tokens: Sequence[Token] = ()
    newest_wall_ns: int = 0
    unreadable: int = 0
    why: str = ""


def file_of(url: str) -> Path | None:
    """Return the file of a SQLite database; None for PostgreSQL. Raises ConfigError for a wrong URL."""
    return sqlite_file(parse_url(url))


def examine_schema(url: str) -> Diagnosis:
    """Examine whether the engine can start on the database."""
    try:
        present = schema.current(url)
        if present == schema.EMPTY:
            return ok("database", f"{schema.name(url)}: not there yet; the first start makes it")
        schema.check(url)
    except StoreError as error:
        return fault("database", str(error), "the message says what to do; docs/store.md")
    return ok("database", f"{schema.name(url)}: schema {present}")


def contents(url: str, keys: KeySource) -> Contents:
    """Read the registry, the tokens and the newest verdict; nothing if there is no usable database.

    `keys`: open the URLs of the cameras.
    """
    try:
        schema.require_existing(url)
        store = Store.open_existing(url, keys)
    except StoreError:
        return Contents()
    try:
        last = store.history.last_seq()
        newest = store.history.after(last - 1, 1) if last else ()
        cameras = tuple(camera for camera in store.registry.cameras() if camera.enabled)
        newest_wall_ns = newest[-1].verdict.at_wall_ns if newest else 0
        return Contents(cameras, store.access.tokens(), newest_wall_ns, *store.unreadable_urls())
    finally:
        store.close()


def is_locked(database: Path | None) -> bool:
    """Whether an engine holds the lock beside a SQLite database. Never waits, and makes no file."""
    if database is None:
        return False
    try:
        with Path(f"{database}.lock").open("rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def registry(held: Contents) -> Diagnosis:
    """Judge the number of cameras, and whether their passwords can be read."""
    cameras = held.cameras
    if not cameras:
        return warning("registry", "holds no camera", "`patrol cameras import FILE`; examples/cameras.csv is a sample")
    if held.unreadable:
        found = f"no key opens the URLs of {held.unreadable:,} cameras; they are not visited"
        return fault("registry", f"{found}: {held.why}" if held.why else found, LOST_KEY_REMEDY)
    pushed = sum(camera.push for camera in cameras)
    return ok("registry", f"{len(cameras):,} cameras" + (f", {pushed:,} of them pushed by gateways" if pushed else ""))


def tokens(known: Sequence[Token], now_wall_ns: int) -> Iterator[Diagnosis]:
    """Judge the tokens that were not revoked."""
    live = [token for token in known if not token.revoked_wall_ns]
    ending = [token for token in live if token.expires_wall_ns]
    found = [
        expiry(
            f"token {token.name!r}",
            token.expires_wall_ns,
            now_wall_ns,
            "make a new one (`patrol token create`), give it to its user, then revoke the old one",
        )
        for token in ending
    ]
    yield from (diagnosis for diagnosis in found if diagnosis.remedy)
    if not any(diagnosis.remedy for diagnosis in found):
        yield ok("token", f"{len(live)} valid, {len(ending)} of them with an end")
