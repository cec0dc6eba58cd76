"""Stands in for the hub's configuration, of which the server's tests need no more than answers of each kind."""

from collections.abc import AsyncGenerator
from dataclasses import replace

from engine.config.in_force import engine_config
from engine.config.schema import Settings
from engine.errors import ConfigError, ConflictError
from engine.model.config_report import ConfigReport, EngineConfig
from engine.model.rehearsal import Rehearsal, RehearsalClass, RehearsalPoint, RehearsalUpdate

REHEARSED = Rehearsal(
    revision="r2",
    cameras=3,
    hours=24.0,
    start_wall_ns=1_795_000_000 * 10**9,
    visits=0,
    visits_in_flight_max=7,
    classes=(RehearsalClass("key_point", 5, 0.5, 1.0, 2.0, 3.0), RehearsalClass("offline", 0, None, 0.0, 0.0, 0.0)),
    timeline=(RehearsalPoint(0.0, 1.0, 2.0, 7), RehearsalPoint(0.5, None, None, 0)),
    broken_promises=("a camera waited",),
    notes=("a recorder is slow",),
    promises_held=False,
)


class Configurations:
    """Implements ConfigurationPort: a text with `bad` in it is refused; nothing changes."""

    async def config(self) -> EngineConfig:
        return engine_config(Settings())

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        return (("config: no",), ()) if "bad" in text else ((), ("careful",))

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool, who: str) -> ConfigReport:
        if "bad" in text:
            raise ConfigError("request: first\nrequest: second")
        if expected_revision not in ("", "r1"):
            raise ConflictError("somebody changed them")
        return ConfigReport("r1", (), (), not dry_run)

    async def rehearse_config(self, text: str, hours: int, seed: int) -> AsyncGenerator[RehearsalUpdate, None]:
        """Half of it, and then the result REHEARSED."""
        if "bad" in text:
            raise ConfigError("request: first\nrequest: second")
        yield RehearsalUpdate(0.5)
        yield RehearsalUpdate(1.0, replace(REHEARSED, hours=hours, visits=seed))
