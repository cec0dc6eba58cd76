"""AccessService of patrol.v1: the caller, tokens and the audit log."""

from collections.abc import Awaitable, Callable

from engine.clock import wall_ns
from engine.errors import ErrorReason, InvalidArgumentError, NotFoundError, Resource
from engine.model.access import Actor, AuditQuery, Caller
from engine.serve.access.interceptor import Call
from engine.serve.access.rules import CHANGES
from engine.serve.messages.access import caller_message, created_message, entry_message, order_of, token_message
from engine.serve.messages.convert import wall_ns_of
from engine.serve.messages.paging import PageTokens, page_size_of
from engine.serve.messages.resource_names import number_of
from patrol.v1 import access_pb2, access_pb2_grpc


class AccessService(access_pb2_grpc.AccessServiceServicer):
    """The caller, tokens and the audit log. `refresh`: called after a token was created or revoked. `caller(actor,
    digest)`: returns whom a caller with this token is taken for."""

    def __init__(
        self,
        page_size_max: int,
        refresh: Callable[[], Awaitable[None]],
        caller: Callable[[Actor, bytes], Caller],
    ) -> None:
        self._page_size_max = page_size_max
        self._refresh = refresh
        self._caller = caller

    async def GetCaller(self, request: access_pb2.GetCallerRequest, call: Call) -> access_pb2.Caller:
        """Return whom the engine takes the caller for."""
        return caller_message(self._caller(call.actor, call.token_digest))

    async def CreateToken(self, request: access_pb2.CreateTokenRequest, call: Call) -> access_pb2.CreateTokenResponse:
        """Create a token. Raises InvalidArgumentError if its expire_time is in the past."""
        order = order_of(request.token)
        if request.token.HasField("expire_time") and order.expires_wall_ns <= wall_ns():
            raise InvalidArgumentError("token.expire_time", "is in the past; give a future time, or leave it out")
        token, secret = await call.hub.create_token(order)
        await self._refresh()
        return created_message(token, secret)

    async def ListTokens(self, request: access_pb2.ListTokensRequest, call: Call) -> access_pb2.ListTokensResponse:
        """Return a page of tokens."""
        size = page_size_of(request.page_size, self._page_size_max)
        pages = PageTokens("tokens", call.hub.places, request.show_ended)
        after, now_ns = pages.number(request.page_token), wall_ns()
        tokens = [
            token
            for token in await call.hub.tokens()
            if token.token_id > after and (request.show_ended or token.is_valid(now_ns))
        ]
        return access_pb2.ListTokensResponse(
            tokens=map(token_message, tokens[:size]),
            next_page_token=pages.token(tokens[size - 1].token_id if len(tokens) > size else None),
        )

    async def RevokeToken(self, request: access_pb2.RevokeTokenRequest, call: Call) -> access_pb2.Token:
        """Revoke a token. Raises NotFoundError if it does not exist."""
        token = await call.hub.revoke_token(number_of(request.name))
        if token is None:
            raise NotFoundError(
                f"there is no token {number_of(request.name)}; ListTokens lists those that exist",
                reason=ErrorReason.TOKEN_NOT_FOUND,
                resource=Resource("Token", request.name),
            )
        await self._refresh()
        return token_message(token)

    async def ListAuditEntries(
        self, request: access_pb2.ListAuditEntriesRequest, call: Call
    ) -> access_pb2.ListAuditEntriesResponse:
        """Return a page of the audit log."""
        size = page_size_of(request.page_size, self._page_size_max)
        audit_filter = request.filter
        start_ns, end_ns = wall_ns_of(audit_filter.start_time), wall_ns_of(audit_filter.end_time)
        if end_ns and end_ns < start_ns:
            raise InvalidArgumentError("filter.end_time", "lies before filter.start_time; exchange the two")
        pages = PageTokens("audit", call.hub.places, audit_filter.SerializeToString(deterministic=True).hex())
        entries = await call.hub.audit_entries(
            AuditQuery(
                actor=audit_filter.actor,
                method=audit_filter.method,
                from_wall_ns=start_ns,
                until_wall_ns=end_ns,
                page_size=size + 1,
                before_id=pages.number(request.page_token),
                change_methods=CHANGES if audit_filter.changes_only else (),
            )
        )
        return access_pb2.ListAuditEntriesResponse(
            audit_entries=map(entry_message, entries[:size]),
            next_page_token=pages.token(entries[size - 1].entry_id if len(entries) > size else None),
        )
