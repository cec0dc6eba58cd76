"""Tells callers which settings are in force, and gives them a text that brings them about again. Pure."""

from engine.config.describe import KeyRow, rows
from engine.config.diff import revision
from engine.config.schema import Settings
from engine.model.config_report import ConfigSetting, EngineConfig
from engine.redact import redact


def engine_config(settings: Settings) -> EngineConfig:
    """Return the configuration in force."""
    all_rows = rows(settings)
    return EngineConfig(revision(settings), _api_toml(all_rows), tuple(map(_setting, all_rows)))


def _api_toml(all_rows: list[KeyRow]) -> str:
    """Return the keys that the API may change and that differ from their defaults; empty if none do.

    The others are left out: file-only keys, among them all that hold secrets, stay as they are in force.
    """
    lines: list[str] = []
    section = ""
    for row in all_rows:
        if row.file_only or row.value == row.default:
            continue
        if row.section != section:
            section = row.section
            lines += ["", f"[{section}]"]
        lines.append(f"{row.key} = {row.value}")
    return "\n".join(lines[1:]) + "\n" if lines else ""


def _setting(row: KeyRow) -> ConfigSetting:
    return ConfigSetting(
        key=f"{row.section}.{row.key}",
        value=redact(row.value),
        default=row.default,
        meaning=row.meaning,
        unit=row.unit,
        allowed=row.allowed,
        hot=row.hot,
        file_only=row.file_only,
    )
