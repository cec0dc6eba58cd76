"""The configuration as one caller may see and change it: the part of ScopedHub that concerns all regions."""

from collections.abc import AsyncGenerator

from engine.errors import DeniedError, ErrorReason
from engine.model.config_report import ConfigReport, EngineConfig
from engine.model.rehearsal import RehearsalUpdate
from engine.serve.access.scoped_findings import ScopedFindings


class ScopedConfiguration(ScopedFindings):
    """Calls the configuration on behalf of one caller. Raises whatever it raises; see ConfigurationPort in
    serve/port.py."""

    def require_all_regions(self) -> None:
        """Raise DeniedError unless the caller's token is of all regions."""
        if self._region:
            raise DeniedError(
                f"token {self._actor.name!r} is of region {self._region}, and this call concerns the cameras of all "
                "regions; use a token of all regions",
                reason=ErrorReason.REGION_NOT_ALLOWED,
                metadata={"region": self._region, "region_needed": ""},
            )

    async def config(self) -> EngineConfig:
        """Return the configuration in force; needs a token of all regions."""
        self.require_all_regions()
        return await self._hub.configurations.config()

    async def validate_config(self, text: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Validate a configuration; needs a token of all regions, because warnings count the cameras of all."""
        self.require_all_regions()
        return await self._hub.configurations.validate_config(text)

    async def apply_config(self, text: str, expected_revision: str, dry_run: bool) -> ConfigReport:
        """Apply a configuration; needs a token of all regions."""
        self.require_all_regions()
        return await self._changing.configurations.apply_config(text, expected_revision, dry_run, self._actor.name)

    def rehearse_config(self, text: str, hours: int, seed: int) -> AsyncGenerator[RehearsalUpdate, None]:
        """Rehearse a configuration against the cameras of all regions; needs a token of all regions."""
        self.require_all_regions()
        return self._hub.configurations.rehearse_config(text, hours, seed)
