"""Calls the methods that tell of the engine as a whole: its regions, its configuration; PatrolClient has them."""

from typing import Any

from engine.client.channel import Channel
from engine.client.pictures import PictureCalls
from engine.model.config_report import EngineConfig
from engine.model.registry import Region
from engine.serve.messages.configuration import config_of
from engine.serve.messages.convert import region_of
from patrol.v1 import configuration_pb2, patrol_pb2, scheduler_pb2_grpc


class EngineCalls(PictureCalls):
    """The engine as a whole."""

    def __init__(self, channel: Channel) -> None:
        super().__init__(channel)
        self._scheduler: Any = scheduler_pb2_grpc.SchedulerServiceStub(channel.grpc_channel)

    def regions(self, region_prefix: str = "") -> tuple[Region, ...]:
        """Return every province, city and county that has cameras, by code."""
        request = patrol_pb2.ListRegionsRequest(region_prefix=region_prefix)
        return tuple(map(region_of, self._channel.call(self._patrol.ListRegions, request).regions))

    def config(self) -> EngineConfig:
        """Return the configuration in force."""
        return config_of(self._channel.call(self._scheduler.GetConfig, configuration_pb2.GetConfigRequest()))
