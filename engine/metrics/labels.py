"""Labels that metrics of several modules have. Pure."""

from collections.abc import Mapping

from engine.metrics.metric import OTHER, Label

REGIONS_MAX = 500
"""Regions with a label value of their own; a province has fewer than 200 counties. All others count as `other`."""
HOSTS_MAX = 20
"""Platforms with a label value of their own."""

REGION = Label("region", unknown_because="the registry decides which counties there are; at most 500, the rest: other")
HOST = Label("host", unknown_because="the registry decides which platforms there are; at most 20, the rest: other")


def by_host(values: Mapping[str, float]) -> dict[tuple[str, ...], float]:
    """Return the largest of these values by label; if there are more than HOSTS_MAX, the sum of all others too."""
    largest = sorted(values.items(), key=lambda host: (-host[1], host[0]))
    shown: dict[tuple[str, ...], float] = {(host,): value for host, value in largest[:HOSTS_MAX]}
    if len(largest) > HOSTS_MAX:
        shown[(OTHER,)] = sum(value for _, value in largest[HOSTS_MAX:])
    return shown
