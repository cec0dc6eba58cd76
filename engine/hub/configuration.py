"""The configuration in force: a changed one is read, checked, compared, and taken as one event, or refused whole."""

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
from engine.errors import ConfigError, ConflictError
from engine.model.config_report import ConfigReport
from engine.runtime.log import logger


class Configuration:
    """Used in the hub's thread only, so that of two reloads at once one comes after the other.

    `warn(settings, calendar, cores, wall_ns)`: what the operator should know of them; `take(settings, calendar)` brings
    them into force; `told(outcome)`: applied, unchanged or refused; `say(settings, calendar)` tells the supervisor,
    both as trees: it tells the feeders, and remembers them for a hub that is started anew.
    """

    def __init__(
        self,
        settings: Settings,
        calendar: Calendar,
        warn: Callable[[Settings, Calendar, int, int], list[str]],
        take: Callable[[Settings, Calendar], None],
        told: Callable[[str], None],
        say: Callable[[dict[str, Any], dict[str, Any]], None],
    ) -> None:
        self.settings = settings
        self._calendar = calendar
        self._warn = warn
        self._take = take
        self._told = told
        self._say = say

    def reload(self, path: str) -> None:
        """SIGHUP, or the file has changed: take it, or keep what is in force and say why in log and metric."""
        try:
            report = self._change(load(Path(path)), dry_run=False)
        except ConfigError as error:
            self._told("refused")
            logger().error("configuration refused, the old one stands", file=path, detail=str(error))
            return
        logger().info(
            "configuration read",
            file=path,
            applied=report.applied,
            revision=report.revision,
            changes=[f"{one.key} = {one.new}" for one in report.changes],
        )
        for warning in report.warnings:
            logger().warning("configuration", detail=warning)

    def apply(self, text: str, *, expected_revision: str = "", dry_run: bool = False) -> ConfigReport:
        """Take a TOML text, or say what it would change. Raises ConfigError, or ConflictError if another came first."""
        if expected_revision and expected_revision != revision(self.settings):
            raise ConflictError(
                f"the settings in force have revision {revision(self.settings)}, not {expected_revision}: somebody "
                "changed them meanwhile; look at them again, then send the change once more"
            )
        try:
            return self._change(loads(text, name="request"), dry_run)
        except ConfigError:
            if not dry_run:
                self._told("refused")
            raise

    def warnings(self) -> list[str]:
        """What the operator should know of the settings in force."""
        return self._warnings(self.settings, self._calendar)

    def _change(self, wanted: Settings, dry_run: bool) -> ConfigReport:
        settings = hot_part(self.settings, wanted)
        calendar = load_calendar(settings.scheduler.calendar_file)
        wrong = cross_key_errors(settings)
        if wrong:
            raise ConfigError("\n".join(f"together with the keys that wait for a restart: {one}" for one in wrong))
        changes = tuple(diff(self.settings, wanted))
        warnings = [
            f"{one.key}: needs a restart; {one.old} stays in force until then" for one in changes if not one.hot
        ]
        changed = settings != self.settings or calendar != self._calendar
        if dry_run:
            return ConfigReport(revision(self.settings), changes, (*warnings, *self._warnings(settings, calendar)))
        if changed:
            self._take(settings, calendar)
            self.settings, self._calendar = settings, calendar
            self._say(settings.model_dump(mode="json"), calendar.model_dump(mode="json"))
        self._told("applied" if changed else "unchanged")
        return ConfigReport(revision(settings), changes, (*warnings, *self._warnings(settings, calendar)), changed)

    def _warnings(self, settings: Settings, calendar: Calendar) -> list[str]:
        return self._warn(settings, calendar, os.cpu_count() or 1, wall_ns())
