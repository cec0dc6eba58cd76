"""What an area says of itself to those who point at it, or have it read to them."""

from engine.web.console.page import Page
from engine.web.console.today.standing import UNKNOWN_CLASS, Figure, Tally

_PARTS = {
    "fault": "%(part)s of %(whole)s judged cameras with a fault",
    "offline": "%(part)s of %(whole)s visited cameras offline",
    "overdue": "%(part)s of %(whole)s open findings overdue",
}
_NUMBERS = (
    "%(cameras)s cameras: %(ok)s ok, %(fault)s fault, %(unknown)s unknown, %(offline)s offline, %(unseen)s not visited "
    "yet; %(open)s open findings, %(overdue)s overdue"
)
TEXTS = (*_PARTS.values(), _NUMBERS)


def title(page: Page, code: str, tally: Tally, found: Figure, show: str) -> str:
    """Return name, figures and state of an area. `show`: what it is coloured by, one of FIGURES."""
    name = page.region_name(code) or page.text("without a region")
    figure = page.text(_PARTS[show], part=f"{found.part:,}", whole=f"{found.whole:,}")
    numbers = page.text(_NUMBERS, **{key: f"{number:,}" for key, number in vars(tally).items()})
    unknown = f". {page.text('Too little is known here.')}" if found.shade == UNKNOWN_CLASS else ""
    return f"{name}: {figure}; {numbers}{unknown}"
