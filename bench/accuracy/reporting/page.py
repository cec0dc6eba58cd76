"""Puts all tables of a run into a Markdown page, between its two marks. Pure."""

from collections.abc import Mapping
from typing import Any

from bench.accuracy.reporting import acceptance, generalisation

BEGIN, END = "<!-- accuracy: begin -->", "<!-- accuracy: end -->"


def markdown(result: Mapping[str, Any]) -> str:
    """Return every table of a run."""
    return acceptance.markdown(result) + generalisation.markdown(result)


def replace_tables(page: str, result: Mapping[str, Any]) -> str:
    """Return `page` with the tables of `result` between its two marks. Raises ValueError if it has no marks."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"the page has no {BEGIN} ... {END}; add these two lines where the tables belong")
    run = f"Seed {result['seed']}, {result['cameras']} cameras on {len(result['scenes'])} scenes, {result['data']}."
    return f"{before}{BEGIN}\n{run}\n\n{markdown(result)}{END}{after}"
