"""Converts the configuration in force, and rehearsals of another, to messages of patrol.v1 and back. Pure."""

from typing import Any

from engine.model.config_report import ConfigSetting, EngineConfig
from engine.model.rehearsal import Rehearsal, RehearsalClass, RehearsalPoint, RehearsalUpdate
from engine.serve.messages.convert import timestamp, wall_ns_of
from patrol.v1 import configuration_pb2

_RESULT_FIELDS = (
    "revision", "cameras", "hours", "visits", "visits_in_flight_max", "broken_promises", "notes", "promises_held",
)  # fmt: skip


def config_message(config: EngineConfig) -> configuration_pb2.EngineConfig:
    """Return the configuration in force as a message."""
    return configuration_pb2.EngineConfig(
        revision=config.revision, toml=config.toml, settings=map(_setting_message, config.settings)
    )


def config_of(message: configuration_pb2.EngineConfig) -> EngineConfig:
    """Return the configuration in force in a message."""
    return EngineConfig(message.revision, message.toml, tuple(map(_setting_of, message.settings)))


def rehearsal_message(update: RehearsalUpdate) -> configuration_pb2.RehearseConfigResponse:
    """Return how far a rehearsal is as a message."""
    message = configuration_pb2.RehearseConfigResponse(progress=update.progress)
    if update.result is not None:
        message.result.CopyFrom(_result_message(update.result))
    return message


def rehearsal_update_of(message: configuration_pb2.RehearseConfigResponse) -> RehearsalUpdate:
    """Return how far a rehearsal is, from a message."""
    return RehearsalUpdate(message.progress, _result_of(message.result) if message.HasField("result") else None)


def _result_message(result: Rehearsal) -> configuration_pb2.Rehearsal:
    return configuration_pb2.Rehearsal(
        start_time=timestamp(result.start_wall_ns),
        classes=[configuration_pb2.RehearsalClass(**_fields(row)) for row in result.classes],
        timeline=[configuration_pb2.RehearsalPoint(**_fields(point)) for point in result.timeline],
        **{name: getattr(result, name) for name in _RESULT_FIELDS},
    )


def _result_of(message: configuration_pb2.Rehearsal) -> Rehearsal:
    return Rehearsal(
        start_wall_ns=wall_ns_of(message.start_time),
        classes=tuple(RehearsalClass(**_values(row, RehearsalClass)) for row in message.classes),
        timeline=tuple(RehearsalPoint(**_values(point, RehearsalPoint)) for point in message.timeline),
        broken_promises=tuple(message.broken_promises),
        notes=tuple(message.notes),
        **{name: getattr(message, name) for name in _RESULT_FIELDS if name not in ("broken_promises", "notes")},
    )


def _fields(row: RehearsalClass | RehearsalPoint) -> dict[str, Any]:
    return {name: getattr(row, name) for name in row.__slots__}


def _values(message: Any, kind: type[RehearsalClass | RehearsalPoint]) -> dict[str, Any]:
    """Return the fields of a message; None for an optional one that is absent."""
    present = {name: getattr(message, name) for name in kind.__slots__}
    return {
        name: value if not message.DESCRIPTOR.fields_by_name[name].has_presence or message.HasField(name) else None
        for name, value in present.items()
    }


def _setting_message(setting: ConfigSetting) -> configuration_pb2.ConfigSetting:
    return configuration_pb2.ConfigSetting(
        key=setting.key,
        value=setting.value,
        default_value=setting.default,
        meaning=setting.meaning,
        unit=setting.unit,
        allowed=setting.allowed,
        hot=setting.hot,
        file_only=setting.file_only,
    )


def _setting_of(message: configuration_pb2.ConfigSetting) -> ConfigSetting:
    return ConfigSetting(
        message.key,
        message.value,
        message.default_value,
        message.meaning,
        message.unit,
        message.allowed,
        message.hot,
        message.file_only,
    )
