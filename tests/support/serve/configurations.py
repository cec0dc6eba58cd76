"""Stands in for the hub's configuration, of which the server's tests need no more than answers of each kind."""

from engine.config.in_force import engine_config
from engine.config.schema import Settings
from engine.errors import ConfigError, ConflictError
from engine.model.config_report import ConfigReport, EngineConfig


class Configurations:
    """Implements ConfigurationPort: a text with `bad` in it is refused; nothing changes."""

    async def config(self) -> EngineConfig:
        return engine_config(Settings())

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return (("config: no",), ()) if "bad" in text else ((), ("careful",))

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool) -> ConfigReport:
        if "bad" in text:
            raise ConfigError("request: first\nrequest: second")
        if expected_revision not in ("", "r1"):
            raise ConflictError("somebody changed them")
        return ConfigReport("r1", (), (), not dry_run)
