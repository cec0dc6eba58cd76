"""Pages that are written by the code say what the code says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli import describe as commands
from engine.config import describe as config
from engine.kernels import registry as figures
from engine.serve import metrics

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ("commands.md", commands.markdown),
        ("config.md", config.markdown),
        ("figures.md", figures.markdown),
        ("metrics.md", metrics.markdown),
    ],
)
def test_a_page_is_what_its_module_writes(page: str, written: Callable[[], str]) -> None:
    module = written.__module__
    assert (DOCS / page).read_text(encoding="utf-8") == written(), f"stale: python -m {module} writes docs/{page} anew"


def test_every_command_and_option_says_what_it_does() -> None:
    for words, command in commands.commands():
        assert command.help, words
        for one in command.params:
            assert one.help, (words, one.name)
