"""Has a shard's hub start with the configuration that was applied last over the API, whatever its machine's file says.

Keys that only the file may change, and those that need a restart, are the file's: so all shards run with the same,
whenever each of them was started.
"""

from collections.abc import Callable
from typing import Any

from engine.config import loads
from engine.config.calendar import Calendar
from engine.config.diff import diff, revision
from engine.config.schema import Settings
from engine.errors import ConfigError, StoreError
from engine.hub.configuration import APPLIED, Configuration, settings_over
from engine.runtime import log
from engine.runtime.log import logger
from engine.runtime.log_events import CONFIGURATION_CHANGED
from engine.storage.db.shards.applied_configurations import AppliedConfiguration, AppliedConfigurations

_REMEDY = "apply one that can be used to all shards: `patrol config apply FILE --server FRONT`"


class StartConfiguration:
    """What a hub that starts reads of the shards' configuration. `tell_supervisor`: as of Configuration. `is_used`: the
    settings in force are made of it."""

    def __init__(
        self, stored: AppliedConfigurations, tell_supervisor: Callable[[dict[str, Any], dict[str, Any]], None]
    ) -> None:
        self._stored = stored
        self._tell_supervisor = tell_supervisor
        self._read: AppliedConfiguration | None = None
        self.is_used = False

    def over(self, settings: Settings, calendar: Calendar) -> Settings:
        """Return the settings of the file with what was applied last over them. What cannot be used is logged, and the
        file's settings stand. Raises StoreError."""
        self._read = self._stored.last()
        if self._read is None:
            return settings
        try:
            merged = settings_over(settings, loads(self._read.toml, APPLIED), APPLIED)
        except ConfigError as error:
            _log_refused(self._read, error)
            return settings
        self.is_used = True
        changes = [f"{change.key}: {change.old} -> {change.new}" for change in diff(settings, merged)]
        if changes:
            self._tell_supervisor(merged.model_dump(mode="json"), calendar.model_dump(mode="json"))
            log.report(CONFIGURATION_CHANGED, source=APPLIED, revision=revision(merged), changes=changes)
        return merged

    def catch_up(self, configuration: Configuration) -> None:
        """Take what was applied since `over`: who applied it may not have known yet that this hub has the shard.

        For the hub's thread, before visits begin. It reads here and not in another thread, so that a call that applies
        a configuration meanwhile comes wholly before or after.
        """
        try:
            applied = self._stored.last()
        except StoreError as error:
            logger().warning("not known whether a configuration was applied while the hub started", detail=str(error))
            return
        if applied is None or (self._read is not None and applied.toml == self._read.toml):
            return
        try:
            configuration.catch_up(loads(applied.toml, APPLIED))
        except ConfigError as error:
            _log_refused(applied, error)


def _log_refused(applied: AppliedConfiguration, error: ConfigError) -> None:
    logger().error(
        "the applied configuration cannot be used here, the machine's file stands",
        detail=str(error),
        who=applied.who,
        remedy=_REMEDY,
    )
