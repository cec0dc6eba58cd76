"""Tokens (their digests), and the audit log of who changed what."""

import secrets
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine import Engine

from engine.errors import ExistsError, StoreError
from engine.model.access import Actor, AuditEntry, AuditQuery, Role, Token, TokenOrder, token_digest
from engine.storage.db.database import writing
from engine.storage.db.tables import audit, tokens

SECRET_BYTES = 32
AUDIT_ROWS_MAX = 1_000_000
"""Beyond it the oldest entries go, whatever their age: a caller who is refused all the time fills no disk."""
_PRUNE_ROWS = 1_000
_SECRET_PREFIX = "kp_"  # noqa: S105 (so that a token is known as ours where it lies about)


class Access:
    """The tokens and the audit log of one database. Any thread may call; every call is its own transaction.

    Raises StoreError where the database does not answer.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def create_token(self, order: TokenOrder, creator: str, now_wall_ns: int) -> tuple[Token, str]:
        """A new token, and its secret, which is kept nowhere. ExistsError if one that holds has this name."""
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
            with writing(self._engine) as connection:
                same = connection.execute(sa.select(tokens).where(tokens.c.name == order.name))
                if any(_token(one).is_valid(now_wall_ns) for one in same):
                    raise ExistsError(f"a token named {order.name!r} holds already; revoke it, or choose another name")
                token_id = connection.execute(sa.insert(tokens).values(**row)).inserted_primary_key
        except sa.exc.SQLAlchemyError as error:
            raise _away(error) from error
        if token_id is None:
            raise StoreError("the database gave the token no number; look at its log")
        return (
            Token(token_id[0], order.name, order.role, order.region, now_wall_ns, creator, order.expires_wall_ns),
            secret,
        )

    def tokens(self) -> tuple[Token, ...]:
        """All that were ever made, by number."""
        return tuple(self.digests().values())

    def digests(self) -> dict[bytes, Token]:
        """The same by the digest of their secret."""
        try:
            with self._engine.connect() as connection:
                rows = connection.execute(sa.select(tokens).order_by(tokens.c.token_id)).all()
        except sa.exc.SQLAlchemyError as error:
            raise _away(error) from error
        return {bytes(row.digest): _token(row) for row in rows}

    def revoke_token(self, token_id: int, now_wall_ns: int) -> Token | None:
        """The token holds no longer; one that was revoked stays so. None if there is none."""
        change = (
            sa.update(tokens)
            .where(tokens.c.token_id == token_id, tokens.c.revoked_wall_ns == 0)
            .values(revoked_wall_ns=now_wall_ns)
        )
        try:
            with writing(self._engine) as connection:
                connection.execute(change)
                row = connection.execute(sa.select(tokens).where(tokens.c.token_id == token_id)).first()
        except sa.exc.SQLAlchemyError as error:
            raise _away(error) from error
        return None if row is None else _token(row)

    def note(self, entry: AuditEntry) -> None:
        """One line of the audit log."""
        row = {
            "at_wall_ns": entry.at_wall_ns,
            "actor": entry.actor.name,
            "role": entry.actor.role.value,
            "region": entry.actor.region,
            "method": entry.method,
            "resource": entry.resource,
            "outcome": entry.outcome,
            "peer": entry.peer,
        }
        try:
            with writing(self._engine) as connection:
                connection.execute(sa.insert(audit).values(**row))
        except sa.exc.SQLAlchemyError as error:
            raise _away(error) from error

    def entries(self, query: AuditQuery) -> tuple[AuditEntry, ...]:
        """Changes, newest first."""
        wanted = [audit.c.region.startswith(query.region_prefix, autoescape=True)] if query.region_prefix else []
        for value, condition in (
            (query.actor, audit.c.actor == query.actor),
            (query.method, audit.c.method == query.method),
            (query.from_wall_ns, audit.c.at_wall_ns >= query.from_wall_ns),
            (query.until_wall_ns, audit.c.at_wall_ns < query.until_wall_ns),
            (query.before_id, audit.c.entry_id < query.before_id),
        ):
            if value:
                wanted.append(condition)
        rows = sa.select(audit).where(*wanted).order_by(audit.c.entry_id.desc()).limit(query.page_size)
        try:
            with self._engine.connect() as connection:
                return tuple(_entry(row) for row in connection.execute(rows))
        except sa.exc.SQLAlchemyError as error:
            raise _away(error) from error

    def prune(self, before_wall_ns: int) -> int:
        """Forget some entries that are older, or too many; how many. 0: none are left."""
        latest = sa.select(sa.func.coalesce(sa.func.max(audit.c.entry_id), 0)).scalar_subquery()
        gone = (
            sa.select(audit.c.entry_id)
            .where(sa.or_(audit.c.at_wall_ns < before_wall_ns, audit.c.entry_id <= latest - AUDIT_ROWS_MAX))
            .order_by(audit.c.entry_id)
            .limit(_PRUNE_ROWS)
        )
        try:
            with writing(self._engine) as connection:
                ids = connection.scalars(gone).all()
                connection.execute(sa.delete(audit).where(audit.c.entry_id.in_(ids)))
        except sa.exc.SQLAlchemyError as error:
            raise _away(error) from error
        return len(ids)


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
    actor = Actor(row.actor, Role(row.role), row.region)
    return AuditEntry(row.at_wall_ns, actor, row.method, row.resource, row.outcome, row.peer, row.entry_id)


def _away(error: Exception) -> StoreError:
    return StoreError(f"the database does not answer ({getattr(error, 'orig', error)}); ask again in a moment")
