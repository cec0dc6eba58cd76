"""Compares two settings, and works out which changes a reload can apply. Pure."""

import hashlib

from engine.config.describe import rows
from engine.config.schema import Settings
from engine.config.setting import Section
from engine.model.config_report import ConfigChange
from engine.redact import redact


def diff(old: Settings, new: Settings) -> list[ConfigChange]:
    """Return the keys that differ, in the order of the file."""
    return [
        ConfigChange(f"{before.section}.{before.key}", redact(before.value), redact(after.value), before.hot)
        for before, after in zip(rows(old), rows(new), strict=True)
        if before.value != after.value
    ]


def hot_part(old: Settings, new: Settings) -> Settings:
    """Return what a reload puts in force: `new`, with every key that needs a restart as it is in `old`."""
    tables: dict[str, Section] = {}
    for row in rows(old):
        if not row.hot:
            table: Section = tables.get(row.section, getattr(new, row.section))
            tables[row.section] = table.model_copy(update={row.key: getattr(getattr(old, row.section), row.key)})
    return new.model_copy(update=tables)


def revision(settings: Settings) -> str:
    """Return a digest of the settings, 12 hexadecimal digits."""
    return hashlib.blake2b(settings.model_dump_json().encode(), digest_size=6).hexdigest()
