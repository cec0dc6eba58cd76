"""Answers callers who ask what is configured, and who change it. For one event loop; the hub's thread does the work."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from typing import TypeVar

from engine.config import loads
from engine.config.calendar import Calendar
from engine.config.checks import cross_key_errors
from engine.config.diff import revision
from engine.config.file_only import over_api
from engine.config.in_force import engine_config
from engine.config.schema import Settings
from engine.errors import ConfigError
from engine.hub.configuration import REQUEST, Configuration
from engine.hub.services.rehearsals import Rehearsals
from engine.hub.thread_calls import ThreadCalls
from engine.model.camera import Camera
from engine.model.config_report import ConfigReport, EngineConfig
from engine.model.rehearsal import RehearsalUpdate

Answer = TypeVar("Answer")


class ConfigurationService:
    """Implements engine.serve.port.ConfigurationPort. `calls`: run in the hub's thread, which alone changes it.
    `cameras`: the registry's, which only that thread changes."""

    def __init__(self, configuration: Configuration, calls: ThreadCalls, cameras: Mapping[str, Camera]) -> None:
        self._configuration = configuration
        self._calls = calls
        self._cameras = cameras
        self._rehearsals = Rehearsals()

    async def config(self) -> EngineConfig:
        """Return the configuration in force."""
        return engine_config(await self._ask(lambda: self._configuration.settings))

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what is wrong with a configuration, and what the operator should know about it."""
        try:
            report = await self.apply_config(text, "", dry_run=True)
        except ConfigError as error:
            return tuple(str(error).splitlines()), ()
        return (), report.warnings

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool) -> ConfigReport:
        """Apply a configuration, or with `dry_run` only return what it would change.

        Raises ConfigError if it cannot be used, ConflictError if `expected_revision` is not the one in force.
        """
        configuration = self._configuration
        try:
            wanted = await asyncio.to_thread(loads, text, REQUEST)  # a megabyte takes seconds
        except ConfigError:
            if not dry_run:
                await self._ask(configuration.count_refused)
            raise
        return await self._ask(
            lambda: configuration.apply(wanted, expected_revision=expected_revision, dry_run=dry_run)
        )

    async def rehearse_config(self, text: str, hours: int, seed: int) -> AsyncGenerator[RehearsalUpdate, None]:
        """Yield how far the rehearsal of a configuration is, at last with the result. Close it to end the rehearsal.

        Keys that only the file changes are as they are in force, and so is the calendar.
        Raises ConfigError if the text cannot be used; else as Rehearsals.run.
        """
        configuration = self._configuration
        in_force, calendar, cameras = await self._ask(
            lambda: (configuration.settings, configuration.calendar, list(self._cameras.values()))
        )
        rehearsal = rehearse(self._rehearsals, in_force, calendar, cameras, text, hours, seed)
        async with aclosing(rehearsal) as updates:
            async for update in updates:
                yield update

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        return await asyncio.wrap_future(self._calls.ask(question))


async def rehearse(
    rehearsals: Rehearsals,
    in_force: Settings,
    calendar: Calendar,
    cameras: Sequence[Camera],
    text: str,
    hours: int,
    seed: int,
) -> AsyncGenerator[RehearsalUpdate, None]:
    """Rehearse a TOML configuration over the one in force. Raises as ConfigurationService.rehearse_config."""
    wanted = over_api(in_force, await asyncio.to_thread(loads, text, REQUEST), REQUEST)
    wrong = cross_key_errors(wanted)
    if wrong:
        raise ConfigError("\n".join(f"{REQUEST}: {problem}" for problem in wrong))
    async with aclosing(rehearsals.run(wanted, calendar, cameras, hours, seed)) as updates:
        async for update in updates:
            result = update.result
            yield update if result is None else replace(update, result=replace(result, revision=revision(wanted)))
