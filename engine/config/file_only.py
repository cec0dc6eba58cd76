"""Keeps the keys that only the configuration file may change: files, processes, listeners, secrets, storage. Pure.

The API changes the plan of a running engine. It must not lead the engine to a file, an address or a program.
"""

from engine.config.describe import rows
from engine.config.schema import Settings
from engine.config.setting import Section
from engine.errors import ConfigError


def over_api(in_force: Settings, wanted: Settings, name: str) -> Settings:
    """Return `wanted` with every file-only key as it is in force. `name`: stands for `wanted` in messages.

    A file-only key may be left out, or given with the value in force. Raises ConfigError, with a line for each that
    would change.
    """
    refused: list[str] = []
    tables: dict[str, Section] = {}
    for row in rows(in_force):
        if not row.file_only:
            continue
        given: Section = getattr(wanted, row.section)
        value = getattr(getattr(in_force, row.section), row.key)
        if row.key in given.model_fields_set and getattr(given, row.key) != value:
            then = "reload it" if row.hot else "restart"
            refused.append(
                f"{name}: {row.section}.{row.key}: only the configuration file may change this key; change it there "
                f"and {then}, or leave it out here"
            )
        tables[row.section] = tables.get(row.section, given).model_copy(update={row.key: value})
    if refused:
        raise ConfigError("\n".join(refused))
    return wanted.model_copy(update=tables)


def from_file(in_force: Settings, wanted: Settings) -> Settings:
    """Return `in_force` with every file-only key as it is in `wanted`: what a file changes where an applied
    configuration has the other keys."""
    tables: dict[str, Section] = {}
    for row in rows(in_force):
        if row.file_only:
            value = getattr(getattr(wanted, row.section), row.key)
            table: Section = tables.get(row.section, getattr(in_force, row.section))
            tables[row.section] = table.model_copy(update={row.key: value})
    return in_force.model_copy(update=tables)
