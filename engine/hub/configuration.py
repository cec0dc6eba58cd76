"""Holds the configuration in force; a new one is read, checked, compared, and applied as a whole or refused."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from engine.clock import wall_ns
from engine.config import load, loads
from engine.config.calendar import Calendar, load_calendar
from engine.config.checks import cross_key_errors
from engine.config.diff import diff, hot_part, revision
from engine.config.schema import Settings
from engine.errors import ConfigError, ConflictError, ErrorReason
from engine.model.config_report import ConfigChange, ConfigReport
from engine.runtime import log
from engine.runtime.log import logger
from engine.runtime.log_events import CONFIGURATION_CHANGED


class Configuration:
    """For the hub's thread, so that two reloads never run at once.

    `warn(settings, calendar, cores, wall_ns)` returns what the operator should know about them. `apply(settings,
    calendar)` brings them into force. `count(outcome)` counts a reload: applied, unchanged or refused.
    `tell_supervisor(settings, calendar)`, both as trees: it tells the feeders, and gives them to a hub it starts later.
    """

    def __init__(
        self,
        settings: Settings,
        calendar: Calendar,
        warn: Callable[[Settings, Calendar, int, int], list[str]],
        apply: Callable[[Settings, Calendar], None],
        count: Callable[[str], None],
        tell_supervisor: Callable[[dict[str, Any], dict[str, Any]], None],
    ) -> None:
        self.settings = settings
        self._calendar = calendar
        self._warn = warn
        self._apply = apply
        self._count = count
        self._tell_supervisor = tell_supervisor

    def reload(self, path: str) -> None:
        """Apply a configuration file, or keep the old configuration and say why in log and metric."""
        try:
            report = self._change(load(Path(path)), path, dry_run=False)
        except ConfigError as error:
            self._count("refused")
            logger().error("configuration refused, the old one stands", file=path, detail=str(error))
            return
        if not report.applied and not report.changes:
            logger().info("configuration unchanged", source=path)
        for warning in report.warnings:
            logger().warning("configuration", detail=warning)

    def apply(self, text: str, *, expected_revision: str = "", dry_run: bool = False) -> ConfigReport:
        """Apply a TOML text, or with `dry_run` only return what it would change.

        Raises ConfigError if it cannot be used, ConflictError if `expected_revision` is not the one in force.
        """
        if expected_revision and expected_revision != revision(self.settings):
            raise ConflictError(
                f"the settings in force have revision {revision(self.settings)}, not {expected_revision}: somebody "
                "changed them meanwhile; look at them again, then send the change once more",
                reason=ErrorReason.CONFIG_CHANGED,
                metadata={"expected_revision": expected_revision, "revision": revision(self.settings)},
            )
        try:
            return self._change(loads(text, name="request"), "request", dry_run)
        except ConfigError:
            if not dry_run:
                self._count("refused")
            raise

    def warnings(self) -> list[str]:
        """Return what the operator should know about the settings in force."""
        return self._warnings(self.settings, self._calendar)

    def _change(self, wanted: Settings, source: str, dry_run: bool) -> ConfigReport:
        settings = hot_part(self.settings, wanted)
        calendar = load_calendar(settings.scheduler.calendar_file)
        wrong = cross_key_errors(settings)
        if wrong:
            raise ConfigError(
                "\n".join(f"together with the keys that wait for a restart: {problem}" for problem in wrong)
            )
        changes = tuple(diff(self.settings, wanted))
        warnings = [
            f"{change.key}: needs a restart; {change.old} stays in force until then"
            for change in changes
            if not change.hot
        ]
        changed = settings != self.settings or calendar != self._calendar
        if dry_run:
            return ConfigReport(revision(self.settings), changes, (*warnings, *self._warnings(settings, calendar)))
        if changed:
            self._apply(settings, calendar)
            self.settings, self._calendar = settings, calendar
            self._tell_supervisor(settings.model_dump(mode="json"), calendar.model_dump(mode="json"))
        self._count("applied" if changed else "unchanged")
        if changed or changes:
            texts = [_change_text(change) for change in changes] or ["scheduler.calendar_file: what it holds"]
            log.report(CONFIGURATION_CHANGED, source=source, revision=revision(settings), changes=texts)
        return ConfigReport(revision(settings), changes, (*warnings, *self._warnings(settings, calendar)), changed)

    def _warnings(self, settings: Settings, calendar: Calendar) -> list[str]:
        return self._warn(settings, calendar, os.cpu_count() or 1, wall_ns())


def _change_text(change: ConfigChange) -> str:
    return f"{change.key}: {change.old} -> {change.new}" + ("" if change.hot else " (after a restart)")
