"""Divides the caps of platforms that several shards visit. Pure."""

import math
from collections.abc import Mapping

from engine.config.schema import SchedulerSettings


def with_host_shares(settings: SchedulerSettings, shares: Mapping[str, float]) -> SchedulerSettings:
    """Return the settings of a shard that makes these shares of the visits on platforms: caps are rounded down, to one
    at least."""
    if not shares:
        return settings
    caps = {
        host: max(1, math.floor(settings.host_visits_max.get(host, settings.visits_per_host_max) * share))
        for host, share in shares.items()
    }
    return settings.model_copy(update={"host_visits_max": {**settings.host_visits_max, **caps}})
