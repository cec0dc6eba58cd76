"""AccessService of patrol.v1: tokens and the audit log."""

from collections.abc import Awaitable, Callable

from engine.clock import wall_ns
from engine.errors import InvalidArgumentError, NotFoundError
from engine.model.access import AuditQuery
from engine.serve.access.gate import Call
from engine.serve.messages.access import entry_message, order_of, token_message
from engine.serve.messages.convert import wall_ns_of
from engine.serve.messages.paging import Pages, page_size_of
from engine.serve.messages.resource_names import number_of
from patrol.v1 import access_pb2, access_pb2_grpc


class AccessService(access_pb2_grpc.AccessServiceServicer):
    """Arguments are checked by the gate. `changed`: called when a token was made or revoked."""

    def __init__(self, page_size_max: int, changed: Callable[[], Awaitable[None]]) -> None:
        self._page_size_max = page_size_max
        self._changed = changed

    async def CreateToken(self, request: access_pb2.CreateTokenRequest, call: Call) -> access_pb2.CreateTokenResponse:
        """Make a token."""
        order = order_of(request.token)
        if request.token.HasField("expire_time") and order.expires_wall_ns <= wall_ns():
            raise InvalidArgumentError("token.expire_time", "lies in the past; give a moment to come, or leave it out")
        token, secret = await call.port.create_token(order)
        await self._changed()
        return access_pb2.CreateTokenResponse(token=token_message(token), secret=secret)

    async def ListTokens(self, request: access_pb2.ListTokensRequest, call: Call) -> access_pb2.ListTokensResponse:
        """A page of tokens."""
        size = page_size_of(request.page_size, self._page_size_max)
        pages = Pages("tokens", call.port.region, request.show_ended)
        after, now_ns = pages.number(request.page_token), wall_ns()
        left = [
            one
            for one in await call.port.tokens()
            if one.token_id > after and (request.show_ended or one.is_valid(now_ns))
        ]
        return access_pb2.ListTokensResponse(
            tokens=map(token_message, left[:size]),
            next_page_token=pages.token(left[size - 1].token_id if len(left) > size else None),
        )

    async def RevokeToken(self, request: access_pb2.RevokeTokenRequest, call: Call) -> access_pb2.Token:
        """A token holds no longer."""
        token = await call.port.revoke_token(number_of(request.name))
        if token is None:
            raise NotFoundError(f"there is no token {number_of(request.name)}; ListTokens names those there are")
        await self._changed()
        return token_message(token)

    async def ListAuditEntries(
        self, request: access_pb2.ListAuditEntriesRequest, call: Call
    ) -> access_pb2.ListAuditEntriesResponse:
        """What was changed, by whom."""
        size = page_size_of(request.page_size, self._page_size_max)
        wanted = request.filter
        pages = Pages("audit", call.port.region, wanted.SerializeToString(deterministic=True).hex())
        found = await call.port.audit_entries(
            AuditQuery(
                actor=wanted.actor,
                method=wanted.method,
                from_wall_ns=wall_ns_of(wanted.start_time),
                until_wall_ns=wall_ns_of(wanted.end_time),
                page_size=size + 1,
                before_id=pages.number(request.page_token),
            )
        )
        return access_pb2.ListAuditEntriesResponse(
            audit_entries=map(entry_message, found[:size]),
            next_page_token=pages.token(found[size - 1].entry_id if len(found) > size else None),
        )
