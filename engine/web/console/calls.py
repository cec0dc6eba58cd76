"""Makes calls of patrol.v1 for a page: by the type of the request, with the token of the user who looks at the page."""

from collections.abc import AsyncGenerator
from functools import cache
from typing import Any

from google.protobuf.message import Message

from engine.web.channel import EngineChannel, Metadata
from engine.web.routes import Method, methods


class EngineCalls:
    """`metadata`: the user's token, and where the call comes from. `deadline_s`: of each call."""

    def __init__(self, channel: EngineChannel, metadata: Metadata, deadline_s: float) -> None:
        self._channel = channel
        self._metadata = metadata
        self._deadline_s = deadline_s

    async def call(self, request: Message, deadline_s: float = 0.0) -> Any:
        """Make the call that takes this request, and return its reply. Raises HttpError."""
        method = _methods()[type(request)]
        return await self._channel.call(method, request, self._metadata, deadline_s or self._deadline_s)

    def stream(self, request: Message, deadline_s: float | None = None) -> AsyncGenerator[Any, None]:
        """Make the call that takes this request, and yield its replies; close the generator to end the call.

        Raises HttpError.
        """
        return self._channel.stream(_methods()[type(request)], request, self._metadata, deadline_s, wait=False)

    async def send(self, requests: AsyncGenerator[Any, None], request: type[Message], deadline_s: float) -> Any:
        """Make a call that takes a stream of such requests, and return its reply. Raises HttpError."""
        return await self._channel.send(_methods()[request], requests, self._metadata, deadline_s)


@cache
def _methods() -> dict[type[Message], Method]:
    """Return the call for each type of request; a test holds that no two calls take the same."""
    return {method.request: method for method in methods()}
