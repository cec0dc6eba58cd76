"""The region that a page is about, and the way back up from it: all regions, province, city, county."""

from engine.errors import InvalidArgumentError
from engine.web.console import forms
from engine.web.console.page import Page
from engine.web.errors import refusal

_DIGITS = (2, 4, 6)


def asked_region(page: Page) -> str:
    """Return the region code in `?region=`; without one the caller's own region, empty for all.

    Raises InvalidArgumentError if it is no code of 2, 4 or 6 digits, HttpError if it lies outside the caller's own.
    """
    region = forms.text(page.query, "region", 6)
    if region and not (region.isascii() and region.isdecimal() and len(region) in _DIGITS):
        raise InvalidArgumentError("region", f"{region!r}; allowed: 2, 4 or 6 digits of GB/T 2260")
    own: str = page.caller.region
    if own.startswith(region):
        return own  # a region around the caller's own holds nothing more for the caller
    if not region.startswith(own):
        raise refusal("NOT_FOUND", "NO_SUCH_REGION", f"region {region} lies outside your region {own}")
    return region


def trail(page: Page, region: str) -> list[tuple[str, str]]:
    """Return codes and names of the regions around a region and of itself, the widest first."""
    own: str = page.caller.region
    codes = ["", *(region[:digits] for digits in _DIGITS if digits <= len(region))]
    return [(code, region_title(page, code)) for code in codes if code.startswith(own)]


def region_title(page: Page, region: str) -> str:
    """Return the name of a region; of the empty code `all regions`."""
    return page.region_name(region) if region else page.text("all regions")
