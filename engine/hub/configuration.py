"""Holds the configuration in force; a new one is checked, compared, and applied as a whole or refused."""

import os
from collections.abc import Callable
from typing import Any

from engine.clock import wall_ns
from engine.config.calendar import Calendar
from engine.config.checks import cross_key_errors
from engine.config.diff import diff, hot_part, revision
from engine.config.file_only import from_file, over_api
from engine.config.schema import Settings
from engine.errors import ConfigError, ConflictError, ErrorReason
from engine.model.config_report import ConfigChange, ConfigReport
from engine.runtime import log
from engine.runtime.log import logger
from engine.runtime.log_events import CONFIGURATION_CHANGED

REQUEST = "request"
"""Stands in messages for the configuration that a caller sent."""
APPLIED = "applied configuration"
"""Stands in messages for the configuration that was applied last over the API, which the shards keep."""
_RESTART = "needs a restart"
_RESTART_OF_SHARD = "needs a restart, which takes it from the file of each machine; put it there"


class Configuration:
    """For the hub's thread, so that two reloads never run at once.

    `warn(settings, calendar, cores, wall_ns)` returns what the operator should know about them. `apply(settings,
    calendar)` brings them into force. `count(outcome)` counts a reload: applied, unchanged or refused.
    `tell_supervisor(settings, calendar)`, both as trees: it tells the feeders, and gives them to a hub it starts later.
    `is_lasting`: in force is what was applied over the API and lasts over starts, in a shard: then a file changes only
    the keys that the API may not change.
    """

    def __init__(
        self,
        settings: Settings,
        calendar: Calendar,
        warn: Callable[[Settings, Calendar, int, int], list[str]],
        apply: Callable[[Settings, Calendar], None],
        count: Callable[[str], None],
        tell_supervisor: Callable[[dict[str, Any], dict[str, Any]], None],
        *,
        is_lasting: bool = False,
    ) -> None:
        self.settings = settings
        self.calendar = calendar
        self._is_lasting = is_lasting
        self._warn = warn
        self._apply = apply
        self._count = count
        self._tell_supervisor = tell_supervisor

    def reload(self, path: str, wanted: Settings, calendar: Calendar) -> None:
        """Apply what a configuration file and its calendar hold, or keep the old configuration as `refuse` does."""
        try:
            taken = from_file(self.settings, wanted) if self._is_lasting else wanted
            report = self._change(taken, calendar, path, dry_run=False)
        except ConfigError as error:
            self.refuse(path, str(error))
            return
        if not report.applied and not report.changes:
            logger().info("configuration unchanged", source=path)
        for warning in report.warnings:
            logger().warning("configuration", detail=warning)

    def refuse(self, path: str, why: str) -> None:
        """Keep the old configuration, because the file or its calendar cannot be used; say why in log and metric."""
        self._count("refused")
        logger().error("configuration refused, the old one stands", file=path, detail=why)

    def apply(
        self, wanted: Settings, *, expected_revision: str = "", dry_run: bool = False, lasting: bool = False
    ) -> ConfigReport:
        """Apply settings that a caller of the API sent, or with `dry_run` only return what they would change.

        Keys that only the configuration file may change stay as they are, and so does the calendar. `lasting`: they
        last over starts, as in a shard.
        Raises ConfigError if they cannot be used, ConflictError if `expected_revision` is not the one in force.
        """
        self._require_revision(expected_revision)
        try:
            allowed = over_api(self.settings, wanted, REQUEST)
            report = self._change(allowed, self.calendar, REQUEST, dry_run, lasting=lasting)
        except ConfigError:
            if not dry_run:
                self.count_refused()
            raise
        self._is_lasting |= lasting and not dry_run
        return report

    def outcome(self, wanted: Settings, expected_revision: str) -> Settings:
        """Return the settings that `apply` would bring into force. Raises as it does."""
        self._require_revision(expected_revision)
        try:
            return settings_over(self.settings, wanted, REQUEST)
        except ConfigError:
            self.count_refused()
            raise

    def catch_up(self, wanted: Settings) -> None:
        """Bring into force what was applied to other shards while this one started. Raises ConfigError if it cannot be
        used here."""
        self._change(settings_over(self.settings, wanted, APPLIED), self.calendar, APPLIED, dry_run=False)
        self._is_lasting = True

    def count_refused(self) -> None:
        """Count a configuration that a caller of the API sent and that cannot be used."""
        self._count("refused")

    def warnings(self) -> list[str]:
        """Return what the operator should know about the settings in force."""
        return self._warnings(self.settings, self.calendar)

    def _require_revision(self, expected: str) -> None:
        if expected and expected != revision(self.settings):
            raise ConflictError(
                f"the settings in force have revision {revision(self.settings)}, not {expected}: somebody "
                "changed them meanwhile; look at them again, then send the change once more",
                reason=ErrorReason.CONFIG_CHANGED,
                metadata={"expected_revision": expected, "revision": revision(self.settings)},
            )

    def _change(
        self, wanted: Settings, calendar: Calendar, source: str, dry_run: bool, *, lasting: bool = False
    ) -> ConfigReport:
        settings = _usable(hot_part(self.settings, wanted))
        changes = tuple(diff(self.settings, wanted))
        warnings = [
            f"{change.key}: {_RESTART_OF_SHARD if lasting else _RESTART}; {change.old} stays in force until then"
            for change in changes
            if not change.hot
        ]
        changed = settings != self.settings or calendar != self.calendar
        if dry_run:
            return ConfigReport(revision(self.settings), changes, (*warnings, *self._warnings(settings, calendar)))
        if changed:
            self._apply(settings, calendar)
            self.settings, self.calendar = settings, calendar
            self._tell_supervisor(settings.model_dump(mode="json"), calendar.model_dump(mode="json"))
        self._count("applied" if changed else "unchanged")
        if changed or changes:
            texts = [_change_text(change) for change in changes] or ["scheduler.calendar_file: what it holds"]
            log.report(CONFIGURATION_CHANGED, source=source, revision=revision(settings), changes=texts)
        return ConfigReport(revision(settings), changes, (*warnings, *self._warnings(settings, calendar)), changed)

    def _warnings(self, settings: Settings, calendar: Calendar) -> list[str]:
        return self._warn(settings, calendar, os.cpu_count() or 1, wall_ns())


def settings_over(in_force: Settings, wanted: Settings, name: str) -> Settings:
    """Return what is in force once `wanted` is applied over the API: file-only keys, and those that need a restart, as
    they are in force. `name`: stands for `wanted` in messages. Raises ConfigError if they cannot be used together."""
    return _usable(hot_part(in_force, over_api(in_force, wanted, name)))


def _usable(settings: Settings) -> Settings:
    wrong = cross_key_errors(settings)
    if wrong:
        raise ConfigError("\n".join(f"together with the keys that wait for a restart: {problem}" for problem in wrong))
    return settings


def _change_text(change: ConfigChange) -> str:
    return f"{change.key}: {change.old} -> {change.new}" + ("" if change.hot else " (after a restart)")
