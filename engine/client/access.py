"""Calls AccessService: the caller, tokens and the audit log."""

from collections.abc import Iterator

from engine.client.channel import Channel
from engine.model.access import AuditEntry, AuditQuery, Caller, Token, TokenOrder
from engine.serve.messages.access import caller_of, entry_of, order_message, token_of
from engine.serve.messages.convert import timestamp
from engine.serve.messages.resource_names import numbered_name
from patrol.v1 import access_pb2, access_pb2_grpc


class AccessClient:
    """The caller, tokens and the audit log. Every method raises CallError."""

    def __init__(self, channel: Channel) -> None:
        self._channel = channel
        self._stub = access_pb2_grpc.AccessServiceStub(channel.grpc_channel)

    def caller(self) -> Caller:
        """Return whom the engine takes this client for."""
        return caller_of(self._channel.call(self._stub.GetCaller, access_pb2.GetCallerRequest()))

    def create_token(self, order: TokenOrder) -> tuple[Token, str]:
        """Create a token; return it, and its secret, which the engine never shows again.

        ALREADY_EXISTS: a valid token has the same name.
        """
        request = access_pb2.CreateTokenRequest(token=order_message(order))
        reply = self._channel.call(self._stub.CreateToken, request)
        return token_of(reply.token), reply.secret

    def tokens(self, show_ended: bool = False) -> Iterator[Token]:
        """Yield tokens by number, page by page. `show_ended`: also those that are revoked or expired."""
        request = access_pb2.ListTokensRequest(show_ended=show_ended)
        while True:
            reply = self._channel.call(self._stub.ListTokens, request)
            yield from map(token_of, reply.tokens)
            request.page_token = reply.next_page_token
            if not request.page_token:
                return

    def revoke_token(self, token_id: int) -> Token:
        """Revoke a token."""
        request = access_pb2.RevokeTokenRequest(name=numbered_name("tokens", token_id))
        return token_of(self._channel.call(self._stub.RevokeToken, request))

    def audit_entries(self, query: AuditQuery | None = None) -> Iterator[AuditEntry]:
        """Yield entries of the audit log, newest first, page by page.

        `region_prefix` and `before_id` of the query are ignored; the engine sets them.
        """
        query = query or AuditQuery()
        request = access_pb2.ListAuditEntriesRequest(
            filter=access_pb2.AuditFilter(
                actor=query.actor,
                method=query.method,
                start_time=timestamp(query.from_wall_ns),
                end_time=timestamp(query.until_wall_ns),
                changes_only=bool(query.change_methods),
            ),
            page_size=query.page_size,
        )
        while True:
            reply = self._channel.call(self._stub.ListAuditEntries, request)
            yield from map(entry_of, reply.audit_entries)
            request.page_token = reply.next_page_token
            if not request.page_token:
                return
