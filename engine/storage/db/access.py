"""Stores API tokens (as digests of their secrets) and the audit log of who changed what."""

import secrets
from collections.abc import Sequence
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from engine.errors import ErrorReason, ExistsError, InvalidArgumentError, StoreError
from engine.model.access import (
    ANONYMOUS,
    Actor,
    AuditEntry,
    AuditQuery,
    Role,
    Token,
    TokenOrder,
    is_reserved,
    token_digest,
)
from engine.storage.db.database import write_transaction
from engine.storage.db.tables import audit, patrol_metadata, tokens

SECRET_BYTES = 32
AUDIT_ROWS_MAX = 1_000_000
"""Beyond this number the oldest changes are deleted, whatever their age, and likewise the oldest of all other entries:
no caller can fill the disk, and refused calls push no change out."""
_REFUSED = ("UNAUTHENTICATED", "PERMISSION_DENIED")
"""Outcomes of calls that were refused before they could change anything."""
_PRUNE_ROWS = 1_000
_PLACES_KEY = "places_key"
"""Key in patrol_about."""
_PLACES_KEY_BYTES = 64
_SECRET_PREFIX = "kp_"  # noqa: S105 (a prefix by which a leaked token can be recognised)


class Access:
    """The tokens and the audit log of one database. Any thread may call; every call is its own transaction.

    All methods raise StoreError if the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create_token(self, order: TokenOrder, creator: str, now_wall_ns: int) -> tuple[Token, str]:
        """Create a token; return it with its secret, which is stored nowhere.

        Raises ExistsError if a valid token has this name, InvalidArgumentError if the engine acts under it, StoreError
        if the database cannot store it.
        """
        if is_reserved(order.name):
            raise InvalidArgumentError(
                "token.display_name", f"{order.name!r}: the engine itself acts under this name; choose another"
            )
        secret = _SECRET_PREFIX + secrets.token_urlsafe(SECRET_BYTES)
        row: dict[str, Any] = {
            "name": order.name,
            "role": order.role.value,
            "region": order.region,
            "digest": token_digest(secret),
            "created_wall_ns": now_wall_ns,
            "creator": creator,
            "expires_wall_ns": order.expires_wall_ns,
            "revoked_wall_ns": 0,
        }
        try:
            with write_transaction(self._engine) as connection:
                namesakes = connection.execute(sa.select(tokens).where(tokens.c.name == order.name))
                if any(_token(row).is_valid(now_wall_ns) for row in namesakes):
                    raise ExistsError(
                        f"a token named {order.name!r} holds already; revoke it, or choose another name",
                        reason=ErrorReason.TOKEN_EXISTS,
                        metadata={"name": order.name},
                    )
                primary_key = connection.execute(sa.insert(tokens).values(**row)).inserted_primary_key
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error
        if primary_key is None:
            raise StoreError("the database assigned the token no number; see the database's log")
        return (
            Token(primary_key[0], order.name, order.role, order.region, now_wall_ns, creator, order.expires_wall_ns),
            secret,
        )

    def tokens(self) -> tuple[Token, ...]:
        """Return all tokens ever created, by number."""
        return tuple(self.digests().values())

    def digests(self) -> dict[bytes, Token]:
        """Return all tokens ever created, by the digest of their secret."""
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(sa.select(tokens).order_by(tokens.c.token_id)).all()
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error
        return {bytes(row.digest): _token(row) for row in rows}

    def revoke_token(self, token_id: int, now_wall_ns: int) -> Token | None:
        """Revoke a token and return it; one that was revoked earlier keeps its time. None if there is no such token."""
        change = (
            sa.update(tokens)
            .where(tokens.c.token_id == token_id, tokens.c.revoked_wall_ns == 0)
            .values(revoked_wall_ns=now_wall_ns)
        )
        try:
            with write_transaction(self._engine) as connection:
                connection.execute(change)
                row = connection.execute(sa.select(tokens).where(tokens.c.token_id == token_id)).first()
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error
        return None if row is None else _token(row)

    def places_key(self) -> bytes:
        """Return the key that encrypts places in tokens; it is made at the first call, and stays."""
        known = sa.select(patrol_metadata.c.value).where(patrol_metadata.c.key == _PLACES_KEY)
        try:
            with write_transaction(self._engine) as connection:
                value = connection.scalar(known)
                if value is None:
                    value = secrets.token_hex(_PLACES_KEY_BYTES)
                    connection.execute(sa.insert(patrol_metadata).values(key=_PLACES_KEY, value=value))
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error
        return bytes.fromhex(value)

    def note(self, entry: AuditEntry) -> int:
        """Append one entry to the audit log; return its number."""
        row = {
            "at_wall_ns": entry.at_wall_ns,
            "actor": entry.actor.name,
            "role": "" if entry.actor == ANONYMOUS else entry.actor.role.value,
            "region": entry.actor.region,
            "method": entry.method,
            "resource": entry.resource,
            "outcome": entry.outcome,
            "peer": entry.peer,
        }
        try:
            with write_transaction(self._engine) as connection:
                primary_key = connection.execute(sa.insert(audit).values(**row)).inserted_primary_key
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error
        if primary_key is None:
            raise StoreError("the database assigned the audit entry no number; see the database's log")
        return int(primary_key[0])

    def conclude(self, entry: AuditEntry) -> None:
        """Set outcome and subject of the entry with this number; its time stays."""
        change = (
            sa.update(audit)
            .where(audit.c.entry_id == entry.entry_id)
            .values(outcome=entry.outcome, resource=entry.resource)
        )
        try:
            with write_transaction(self._engine) as connection:
                connection.execute(change)
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error

    def withdraw(self, entry_id: int) -> None:
        """Delete the entry with this number, of a change that was refused and is counted in another entry."""
        try:
            with write_transaction(self._engine) as connection:
                connection.execute(sa.delete(audit).where(audit.c.entry_id == entry_id))
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error

    def entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """Return the entries of the audit log that match the query, newest first."""
        filters = [audit.c.region.startswith(query.region_prefix, autoescape=True)] if query.region_prefix else []
        if query.change_methods:
            filters.append(_is_change(query.change_methods))
        for value, condition in (
            (query.actor, audit.c.actor == query.actor),
            (query.method, audit.c.method == query.method),
            (query.from_wall_ns, audit.c.at_wall_ns >= query.from_wall_ns),
            (query.until_wall_ns, audit.c.at_wall_ns < query.until_wall_ns),
            (query.before_id, audit.c.entry_id < query.before_id),
        ):
            if value:
                filters.append(condition)
        rows = sa.select(audit).where(*filters).order_by(audit.c.entry_id.desc()).limit(query.page_size)
        try:
            with self._engine.connect() as connection:
                return tuple(_entry(row) for row in connection.execute(rows))
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error

    def prune(self, change_methods: Sequence[str], changes_before_ns: int, others_before_ns: int) -> int:
        """Delete some entries that are too old or too many; return how many. 0: none are left to delete.

        `change_methods`: methods whose calls are changes; the others are refused calls and pictures that were shown.
        """
        changes = _is_change(change_methods)
        deleted = 0
        for kind, before_ns in ((changes, changes_before_ns), (sa.not_(changes), others_before_ns)):
            excess_id = self._excess_id(kind)
            old = (
                sa.select(audit.c.entry_id)
                .where(kind, sa.or_(audit.c.at_wall_ns < before_ns, audit.c.entry_id <= excess_id))
                .order_by(audit.c.entry_id)
                .limit(_PRUNE_ROWS)
            )
            try:
                with write_transaction(self._engine) as connection:
                    ids = connection.scalars(old).all()
                    connection.execute(sa.delete(audit).where(audit.c.entry_id.in_(ids)))
            except sa.exc.SQLAlchemyError as error:
                raise _unavailable(error) from error
            deleted += len(ids)
        return deleted

    def _excess_id(self, kind: sa.ColumnElement[bool]) -> int:
        """Return the number of the newest entry of a kind that is beyond AUDIT_ROWS_MAX; 0 if there is none."""
        newest = sa.select(sa.func.max(audit.c.entry_id))
        oldest = sa.select(sa.func.min(audit.c.entry_id))
        newest_first = sa.select(audit.c.entry_id).where(kind).order_by(audit.c.entry_id.desc())
        beyond = newest_first.offset(AUDIT_ROWS_MAX).limit(1)
        try:
            with self._engine.connect() as connection:
                # Counting takes half a second with a million rows, and is seldom needed.
                if (connection.scalar(newest) or 0) - (connection.scalar(oldest) or 0) < AUDIT_ROWS_MAX:
                    return 0
                return connection.scalar(beyond) or 0
        except sa.exc.SQLAlchemyError as error:
            raise _unavailable(error) from error


def _is_change(methods: Sequence[str]) -> sa.ColumnElement[bool]:
    return sa.and_(audit.c.method.in_(methods), audit.c.outcome.not_in(_REFUSED))


def _token(row: Any) -> Token:
    return Token(
        row.token_id,
        row.name,
        Role(row.role),
        row.region,
        row.created_wall_ns,
        row.creator,
        row.expires_wall_ns,
        row.revoked_wall_ns,
    )


def _entry(row: Any) -> AuditEntry:
    actor = Actor(row.actor, Role(row.role), row.region) if row.role else ANONYMOUS
    return AuditEntry(row.at_wall_ns, actor, row.method, row.resource, row.outcome, row.peer, row.entry_id)


def _unavailable(error: Exception) -> StoreError:
    return StoreError(f"the database does not answer ({getattr(error, 'orig', error)}); ask again in a moment")
