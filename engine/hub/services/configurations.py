"""Answers callers who ask what is configured, and who change it. For one event loop; the hub's thread does the work."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from engine.config import loads
from engine.config.in_force import engine_config
from engine.errors import ConfigError
from engine.hub.configuration import REQUEST, Configuration
from engine.hub.thread_calls import ThreadCalls
from engine.model.config_report import ConfigReport, EngineConfig

Answer = TypeVar("Answer")


class ConfigurationService:
    """Implements engine.serve.port.ConfigurationPort. `calls`: run in the hub's thread, which alone changes it."""

    def __init__(self, configuration: Configuration, calls: ThreadCalls) -> None:
        self._configuration = configuration
        self._calls = calls

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

    async def _ask(self, question: Callable[[], Answer]) -> Answer:
        return await asyncio.wrap_future(self._calls.ask(question))
