"""What differs between two settings, and what of it a reload takes. Pure."""

import hashlib

from engine.config.describe import rows
from engine.config.schema import Settings
from engine.config.setting import Section
from engine.model.config_report import ConfigChange
from engine.redact import redact


def diff(old: Settings, new: Settings) -> list[ConfigChange]:
    """Keys that differ, in the order of the file."""
    return [
        ConfigChange(f"{was.section}.{was.key}", redact(was.value), redact(now.value), was.hot)
        for was, now in zip(rows(old), rows(new), strict=True)
        if was.value != now.value
    ]


def hot_part(old: Settings, new: Settings) -> Settings:
    """`new` with every key that needs a restart as it is in `old`: what a reload brings into force."""
    tables: dict[str, Section] = {}
    for row in rows(old):
        if not row.hot:
            table: Section = tables.get(row.section, getattr(new, row.section))
            tables[row.section] = table.model_copy(update={row.key: getattr(getattr(old, row.section), row.key)})
    return new.model_copy(update=tables)


def revision(settings: Settings) -> str:
    """12 hex digits that are the same for the same settings."""
    return hashlib.blake2b(settings.model_dump_json().encode(), digest_size=6).hexdigest()
