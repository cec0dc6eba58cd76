"""Converts tokens and entries of the audit log to messages of patrol.v1 and back. Pure."""

from engine.model.access import ANONYMOUS, Actor, AuditEntry, Caller, Role, Token, TokenOrder
from engine.serve.messages.convert import timestamp, wall_ns_of
from engine.serve.messages.resource_names import number_of, numbered_name
from patrol.v1 import access_pb2

_ROLE_NUMBER = {role: getattr(access_pb2, f"ROLE_{role.name}") for role in Role}
_ROLE = {number: role for role, number in _ROLE_NUMBER.items()}


def token_message(token: Token) -> access_pb2.Token:
    """Return a token as a message."""
    return access_pb2.Token(
        name=numbered_name("tokens", token.token_id),
        display_name=token.name,
        role=_ROLE_NUMBER[token.role],
        region=token.region,
        expire_time=timestamp(token.expires_wall_ns),
        create_time=timestamp(token.created_wall_ns),
        creator=token.creator,
        revoke_time=timestamp(token.revoked_wall_ns),
    )


def created_message(token: Token, secret: str) -> access_pb2.CreateTokenResponse:
    """Return a new token and its secret as a reply."""
    return access_pb2.CreateTokenResponse(token=token_message(token), secret=secret)


def token_of(message: access_pb2.Token) -> Token:
    """Return the token in a message."""
    return Token(
        token_id=number_of(message.name),
        name=message.display_name,
        role=_ROLE[message.role],
        region=message.region,
        created_wall_ns=wall_ns_of(message.create_time),
        creator=message.creator,
        expires_wall_ns=wall_ns_of(message.expire_time),
        revoked_wall_ns=wall_ns_of(message.revoke_time),
    )


def order_of(message: access_pb2.Token) -> TokenOrder:
    """Return the order for a new token in a message, whose role must be a known one."""
    return TokenOrder(message.display_name, _ROLE[message.role], message.region, wall_ns_of(message.expire_time))


def order_message(order: TokenOrder) -> access_pb2.Token:
    """Return the order for a new token as a message."""
    return access_pb2.Token(
        display_name=order.name,
        role=_ROLE_NUMBER[order.role],
        region=order.region,
        expire_time=timestamp(order.expires_wall_ns),
    )


def caller_message(caller: Caller) -> access_pb2.Caller:
    """Return whom the engine takes a caller for as a message."""
    return access_pb2.Caller(
        display_name=caller.actor.name,
        role=_ROLE_NUMBER[caller.actor.role],
        region=caller.actor.region,
        expire_time=timestamp(caller.expires_wall_ns),
        local=caller.local,
    )


def caller_of(message: access_pb2.Caller) -> Caller:
    """Return whom the engine takes a caller for, from a message."""
    actor = Actor(message.display_name, _ROLE[message.role], message.region)
    return Caller(actor, wall_ns_of(message.expire_time), message.local)


def entry_message(entry: AuditEntry) -> access_pb2.AuditEntry:
    """Return an entry of the audit log as a message."""
    return access_pb2.AuditEntry(
        name=numbered_name("auditEntries", entry.entry_id),
        time=timestamp(entry.at_wall_ns),
        actor=entry.actor.name,
        role=access_pb2.ROLE_UNSPECIFIED if entry.actor == ANONYMOUS else _ROLE_NUMBER[entry.actor.role],
        region=entry.actor.region,
        method=entry.method,
        resource=entry.resource,
        outcome=entry.outcome,
        peer=entry.peer,
    )


def entry_of(message: access_pb2.AuditEntry) -> AuditEntry:
    """Return the entry of the audit log in a message."""
    return AuditEntry(
        at_wall_ns=wall_ns_of(message.time),
        actor=Actor(message.actor, _ROLE[message.role], message.region) if message.role else ANONYMOUS,
        method=message.method,
        resource=message.resource,
        outcome=message.outcome,
        peer=message.peer,
        entry_id=number_of(message.name),
    )
