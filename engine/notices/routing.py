"""Decides which endpoints receive a notice. Pure."""

from collections.abc import Iterable
from fnmatch import fnmatchcase

from engine.config.notices import EndpointSettings
from engine.model.notice import Notice


def accepts(endpoint: EndpointSettings, notice: Notice) -> bool:
    """Return whether the notice is of the endpoint's region and of a kind it subscribes to."""
    return notice.region.startswith(endpoint.region) and any(
        fnmatchcase(notice.kind, pattern) for pattern in endpoint.events
    )


def recipients(endpoints: Iterable[EndpointSettings], notice: Notice) -> tuple[str, ...]:
    """Return the names of the endpoints that receive the notice."""
    return tuple(endpoint.name for endpoint in endpoints if accepts(endpoint, notice))
