"""Changes the key that seals the URLs of cameras, so that a crash at any moment leaves a key file that opens them."""

from dataclasses import dataclass
from pathlib import Path

from engine.errors import StoreError
from engine.storage.db.passwords import sealed_urls
from engine.storage.db.passwords.keys import Key, KeySource, KeyUnavailableError, new_key
from engine.storage.db.passwords.scrub import scrub
from engine.storage.db.passwords.sealer import Sealer
from engine.storage.db.writer_lock import exclusively


@dataclass(frozen=True, slots=True)
class Rotation:
    """What was done. `sealed`: URLs under the new key. `unreadable`: URLs that no key opens. `old_file`: where the old
    keys are kept, for older backups; None if there were none, or the keys come from a command."""

    sealed: int
    unreadable: int
    old_file: Path | None


def rotate(url: str, source: KeySource, *, lost: bool = False) -> Rotation:
    """Seal all URLs with a new key. With a key command it is the first that the command prints.

    `lost`: go on without the old keys. Raises StoreError if an engine runs on the database, KeyUnavailableError if the
    old keys cannot be read and are not `lost`, or a new file cannot be written; the old keys then stay in force.
    """
    old_keys = _old_keys(source, lost=lost)
    with exclusively(url) as (engine, lock):
        keys = old_keys if source.command else [new_key(), *old_keys]
        if not source.command:
            source.write(keys, replace=True)
        sealer = Sealer(source)
        with lock.transaction() as connection:
            done = sealed_urls.reseal(connection, sealer, sealer)
        old_file = None if source.command else _drop_old(source, keys)
        scrub(engine)
    return Rotation(done.sealed, done.unreadable, old_file)


def _old_keys(source: KeySource, *, lost: bool) -> list[Key]:
    try:
        return source.read()
    except KeyUnavailableError as error:
        if source.command:
            raise
        if not error.missing:
            raise StoreError(f"{error}; the key file is left as it is") from error
        if not lost:
            raise StoreError(f"{error}; bring it back, or give --lost to go on without it") from error
        return []


def _drop_old(source: KeySource, keys: list[Key]) -> Path | None:
    """Leave the new key alone in the file; keep the old ones beside it."""
    file = source.file
    if file is None or len(keys) == 1:
        return None
    old_file = file.with_name(file.name + ".old")
    older = KeySource(old_file).read() if old_file.exists() else []
    KeySource(old_file).write([*keys[1:], *(key for key in older if key not in keys)], replace=True)
    source.write(keys[:1], replace=True)
    return old_file
