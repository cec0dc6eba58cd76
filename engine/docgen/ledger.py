"""docs/ledger.md: its table of keys."""

from engine.config.ledger import RegionPolicy
from engine.docgen.config import section_table
from engine.docgen.markdown import key_table, with_block


def update(page: str) -> str:
    """Return docs/ledger.md with the keys of the ledger and of its regions renewed."""
    lines = [*section_table("ledger"), "", "And of each of `[[ledger.regions]]`:", "", *key_table(RegionPolicy)]
    return with_block(page, "ledger keys", lines)
