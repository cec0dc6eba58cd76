"""Answers callers who ask what is configured, and who change it. For one event loop; the hub's thread does the work."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import replace
from functools import partial
from typing import TypeVar

from engine.clock import wall_ns
from engine.config import loads
from engine.config.calendar import Calendar
from engine.config.checks import cross_key_errors
from engine.config.diff import revision
from engine.config.file_only import over_api
from engine.config.in_force import engine_config
from engine.config.schema import Settings
from engine.errors import ConfigError, StoreError
from engine.hub.configuration import REQUEST, Configuration
from engine.hub.services.rehearsals import Rehearsals
from engine.hub.thread_calls import ThreadCalls
from engine.model.camera import Camera
from engine.model.config_report import ConfigReport, EngineConfig
from engine.model.rehearsal import RehearsalUpdate
from engine.runtime.log import logger
from engine.storage.db.shards.applied_configurations import AppliedConfiguration, AppliedConfigurations

Answer = TypeVar("Answer")


class ConfigurationService:
    """Implements engine.serve.port.ConfigurationPort. `calls`: run in the hub's thread, which alone changes it.
    `cameras`: the registry's, which only that thread changes. `stored`: where a shard keeps what is applied; None for
    an engine alone, whose file is read at the next start."""

    def __init__(
        self,
        configuration: Configuration,
        calls: ThreadCalls,
        cameras: Mapping[str, Camera],
        stored: AppliedConfigurations | None = None,
    ) -> None:
        self._configuration = configuration
        self._calls = calls
        self._cameras = cameras
        self._stored = stored
        self._applying = asyncio.Lock()
        self._tasks: set[asyncio.Task[ConfigReport]] = set()
        self._rehearsals = Rehearsals()

    async def config(self) -> EngineConfig:
        """Return the configuration in force."""
        return engine_config(await self._ask(lambda: self._configuration.settings))

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Return what is wrong with a configuration, and what the operator should know about it."""
        try:
            report = await self.apply_config(text, "", True, "")
        except ConfigError as error:
            return tuple(str(error).splitlines()), ()
        return (), report.warnings

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool, who: str) -> ConfigReport:
        """Apply a configuration, or with `dry_run` only return what it would change. A shard stores it first, for the
        next engine that starts, with `who` applied it.

        Raises ConfigError if it cannot be used, ConflictError if `expected_revision` is not the one in force,
        StoreError if it cannot be stored; nothing is changed then.
        """
        configuration = self._configuration
        try:
            wanted = await asyncio.to_thread(loads, text, REQUEST)  # a megabyte takes seconds
        except ConfigError:
            if not dry_run:
                await self._ask(configuration.count_refused)
            raise
        if self._stored is None or dry_run:
            change = partial(
                configuration.apply,
                wanted,
                expected_revision=expected_revision,
                dry_run=dry_run,
                lasting=self._stored is not None,
            )
            return await self._ask(change)
        # A task of its own: a caller who does not wait must not leave one stored that is not in force.
        task = asyncio.create_task(self._store_and_apply(self._stored, wanted, expected_revision, who))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return await asyncio.shield(task)

    async def _store_and_apply(
        self, stored: AppliedConfigurations, wanted: Settings, expected_revision: str, who: str
    ) -> ConfigReport:
        configuration = self._configuration
        async with self._applying:
            outcome = engine_config(await self._ask(lambda: configuration.outcome(wanted, expected_revision)))
            applied = AppliedConfiguration(outcome.toml, outcome.revision, who, wall_ns())
            before = await asyncio.to_thread(stored.last)
            try:
                await asyncio.to_thread(stored.replace, applied)
                return await self._ask(lambda: configuration.apply(wanted, lasting=True))
            except Exception:
                await _put_back(stored, before)
                raise

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


async def _put_back(stored: AppliedConfigurations, before: AppliedConfiguration | None) -> None:
    """Store again what was stored before: a write that failed may have been committed all the same."""
    try:
        await asyncio.to_thread(stored.replace, before)
    except StoreError as error:
        logger().error(
            "a configuration that is not in force may be stored, and engines that start would take it; apply the "
            "one in force again",
            detail=str(error),
        )


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
