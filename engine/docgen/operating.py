"""docs/operating.md: the table of the lines of the log that operators build on."""

from engine.docgen.markdown import table, with_block
from engine.runtime.log_events import EVENTS


def update(page: str) -> str:
    """Return docs/operating.md with its table of log lines renewed."""
    rows = ((f"`{event.name}`", event.level, ", ".join(event.fields), event.help) for event in EVENTS)
    return with_block(page, "log lines", table(("line", "level", "fields", "when"), rows))
