"""Pages that are written by the code say what the code says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from engine import metrics
from engine.cli import describe as commands
from engine.config import describe as config
from engine.config.calendar import Calendar
from engine.config.pages import key_table
from engine.config.setting import Section
from engine.kernels import registry as figures
from engine.notices import describe as notices
from engine.serve import describe as api
from engine.simulation import describe as rehearsal
from engine.simulation.faults import Faults
from engine.simulation.world import World, load_world

DOCS = Path(__file__).resolve().parents[2] / "docs"


@pytest.mark.parametrize(
    ("page", "written"),
    [
        ("api.md", api.markdown),
        ("commands.md", commands.markdown),
        ("config.md", config.markdown),
        ("figures.md", figures.markdown),
        ("metrics.md", metrics.markdown),
    ],
)
def test_a_page_is_what_its_module_writes(page: str, written: Callable[[], str]) -> None:
    module = written.__module__
    assert (DOCS / page).read_text(encoding="utf-8") == written(), f"stale: python -m {module} writes docs/{page} anew"


@pytest.mark.parametrize("renewed", [config.scheduler_page, rehearsal.scheduler_page])
def test_the_tables_of_the_scheduler_page_are_what_their_module_writes(renewed: Callable[[str], str]) -> None:
    page = (DOCS / "scheduler.md").read_text(encoding="utf-8")
    assert renewed(page) == page, f"stale: python -m {renewed.__module__} writes the tables of docs/scheduler.md anew"


def test_the_tables_of_the_ledger_page_are_what_their_module_writes() -> None:
    page = (DOCS / "ledger.md").read_text(encoding="utf-8")
    assert config.ledger_page(page) == page, "stale: python -m engine.config.describe writes the tables anew"


def test_the_examples_and_tables_of_the_notices_page_are_what_the_code_sends() -> None:
    page = (DOCS / "notices.md").read_text(encoding="utf-8")
    assert notices.page(page) == page, "stale: python -m engine.notices.describe writes docs/notices.md anew"


def test_a_page_without_the_marks_of_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="<!-- world keys -->"):
        rehearsal.scheduler_page("# Who is visited when")


@pytest.mark.parametrize("kind", [Calendar, World, Faults])
def test_every_key_of_a_file_says_what_it_means(kind: type[Section]) -> None:
    for row in key_table(kind)[2:]:
        assert row.removesuffix(" |").endswith("."), row


def test_the_default_world_as_a_file_loads_back_to_the_same(tmp_path: Path) -> None:
    file = tmp_path / "world.toml"
    file.write_text(rehearsal.world_toml(), encoding="utf-8")
    assert load_world(file) == World()


def test_every_command_and_option_says_what_it_does() -> None:
    for words, command in commands.commands():
        assert command.help, words
        for parameter in command.params:
            assert parameter.help, (words, parameter.name)
