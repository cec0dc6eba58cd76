"""Pages that are written by the code say what the code says."""

from pathlib import Path

import pytest

from engine.config.calendar import Calendar
from engine.config.setting import Section
from engine.docgen import commands, pages, scheduler
from engine.docgen.__main__ import main as docgen_main
from engine.docgen.markdown import key_table
from engine.docgen.pages import DOCS, PAGES
from engine.simulation.faults import Faults
from engine.simulation.world import World, load_world


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_what_the_code_writes(page: str) -> None:
    text = (DOCS / page).read_text(encoding="utf-8")
    assert PAGES[page](text) == text, f"stale: python -m engine.docgen writes docs/{page} anew"


def test_check_names_stale_pages_and_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    docs = tmp_path / "docs"
    docs.mkdir()
    for name in PAGES:
        (docs / name).parent.resolve().mkdir(parents=True, exist_ok=True)
        (docs / name).resolve().write_bytes((DOCS / name).read_bytes())
    (docs / "metrics.md").write_text("# Metrics\n", encoding="utf-8")
    monkeypatch.setattr(pages, "DOCS", docs)
    assert docgen_main(["--check"]) == 1
    assert (docs / "metrics.md").read_text(encoding="utf-8") == "# Metrics\n"
    assert docgen_main([]) == 0
    assert (docs / "metrics.md").read_bytes() == (DOCS / "metrics.md").read_bytes()
    assert docgen_main(["--check"]) == 0


def test_a_page_without_the_marks_of_a_table_is_refused() -> None:
    with pytest.raises(ValueError, match="<!-- scheduler keys -->"):
        scheduler.update("# Who is visited when")


@pytest.mark.parametrize("kind", [Calendar, World, Faults])
def test_every_key_of_a_file_says_what_it_means(kind: type[Section]) -> None:
    for row in key_table(kind)[2:]:
        assert row.removesuffix(" |").endswith("."), row


def test_the_default_world_as_a_file_loads_back_to_the_same(tmp_path: Path) -> None:
    file = tmp_path / "world.toml"
    file.write_text(scheduler.world_toml(), encoding="utf-8")
    assert load_world(file) == World()


def test_every_command_and_option_says_what_it_does() -> None:
    for words, command in commands.commands():
        assert command.help, words
        for parameter in command.params:
            assert parameter.help, (words, parameter.name)
