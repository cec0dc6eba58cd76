"""Writes the page of a run's worst cases, worst first: what was announced wrongly, nearly so, missed, or misread."""

import html
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.accuracy.findings import FALSE_ALARM, MISS, NEAR, WRONG_FILE, Example
from bench.accuracy.reporting.html_page import html_page
from bench.accuracy.reporting.pictures import figure

SHOWN_MAX: Final = {FALSE_ALARM: 24, NEAR: 16, MISS: 40, WRONG_FILE: 24}
"""Most cases that a group shows."""
_OF_KIND_MAX: Final = {FALSE_ALARM: 24, NEAR: 16, MISS: 4, WRONG_FILE: 24}
"""Most cases of one true kind that a group shows: one kind that is always missed would hide all others."""


def write_worst(folder: Path, summary: str, examples: Sequence[Example]) -> Path:
    """Write worst.html into `folder`, which exists; return its path. Raises OSError if it cannot be written."""
    page = folder / "worst.html"
    sections = {group.replace(" ", "_"): _section(group, examples) for group in SHOWN_MAX}
    page.write_text(html_page(page.name, summary=html.escape(summary), **sections), encoding="utf-8")
    return page


def worst(group: str, examples: Sequence[Example]) -> Iterator[Example]:
    """Yield the worst examples of a group, SHOWN_MAX at most, the worst first."""
    shown: Counter[str] = Counter()
    of_group = [example for example in examples if example.group == group]
    for example in sorted(of_group, key=lambda example: -example.badness):
        if shown[example.kind] < _OF_KIND_MAX[group] and shown.total() < SHOWN_MAX[group]:
            shown[example.kind] += 1
            yield example


def _section(group: str, examples: Sequence[Example]) -> str:
    count = sum(example.group == group for example in examples)
    figures = [text for example in worst(group, examples) if (text := figure(example, with_figures=True))]
    shown = f'<p class="quiet">{len(figures)} of {count} that were kept.</p>'
    return shown + f'<div class="gallery">{"".join(figures)}</div>' if figures else "<p>None.</p>"
