"""Converts the configuration in force to messages of patrol.v1 and back. Pure."""

from engine.model.config_report import ConfigSetting, EngineConfig
from patrol.v1 import configuration_pb2


def config_message(config: EngineConfig) -> configuration_pb2.EngineConfig:
    """Return the configuration in force as a message."""
    return configuration_pb2.EngineConfig(
        revision=config.revision, toml=config.toml, settings=map(_setting_message, config.settings)
    )


def config_of(message: configuration_pb2.EngineConfig) -> EngineConfig:
    """Return the configuration in force in a message."""
    return EngineConfig(message.revision, message.toml, tuple(map(_setting_of, message.settings)))


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
