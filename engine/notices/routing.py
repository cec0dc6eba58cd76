"""Which endpoint hears of what. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from engine.config.notices import EndpointSettings
from engine.model.notice import Notice


def accepts(endpoint: EndpointSettings, notice: Notice) -> bool:
    """Whether the notice is of the endpoint's region and of a kind that it wants."""
    return notice.region.startswith(endpoint.region) and any(
        fnmatchcase(notice.kind, pattern) for pattern in endpoint.events
    )


def recipients(endpoints: Iterable[EndpointSettings], notice: Notice) -> tuple[str, ...]:
    """Names of those who hear of it."""
    return tuple(endpoint.name for endpoint in endpoints if accepts(endpoint, notice))
