"""The generated pages of docs/ and dashboards of deploy/, and which of them are stale."""

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

from engine.docgen import (
    alerts,
    api,
    commands,
    config,
    dashboards,
    figures,
    ledger,
    metrics,
    notices,
    operating,
    scheduler,
)
from engine.web.documents import openapi_json

DOCS = Path(__file__).resolve().parents[2] / "docs"


def _whole(markdown: Callable[[], str]) -> Callable[[str], str]:
    return lambda _: markdown()


PAGES: dict[str, Callable[[str], str]] = {
    "alerts.yml": alerts.update,
    "api.md": _whole(api.markdown),
    "commands.md": _whole(commands.markdown),
    "config.md": _whole(config.markdown),
    "figures.md": _whole(figures.markdown),
    "ledger.md": ledger.update,
    "metrics.md": _whole(metrics.markdown),
    "notices.md": notices.update,
    "openapi.json": _whole(lambda: openapi_json().decode()),
    "operating.md": operating.update,
    "scheduler.md": scheduler.update,
    **{name: _whole(partial(dashboards.text, dashboard)) for name, dashboard in dashboards.FILES.items()},
}
"""Each page's generator: from the page's present text to its new text. Some generate whole pages, some only blocks."""


def stale_pages() -> Iterator[tuple[Path, str]]:
    """Yield the path and the new text of every page whose text differs from what its generator writes."""
    for name, generate in PAGES.items():
        path = DOCS / name
        present = path.read_text(encoding="utf-8") if path.exists() else ""
        text = generate(present)
        if text != present:
            yield path, text
