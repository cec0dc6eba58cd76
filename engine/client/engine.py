"""Calls the methods that tell of the engine as a whole: the regions of its cameras; PatrolClient has them."""

from engine.client.pictures import PictureCalls
from engine.model.registry import Region
from engine.serve.messages.convert import region_of
from patrol.v1 import patrol_pb2


class EngineCalls(PictureCalls):
    """The engine as a whole."""

    def regions(self, region_prefix: str = "") -> tuple[Region, ...]:
        """Return every province, city and county that has cameras, by code."""
        request = patrol_pb2.ListRegionsRequest(region_prefix=region_prefix)
        return tuple(map(region_of, self._channel.call(self._patrol.ListRegions, request).regions))
