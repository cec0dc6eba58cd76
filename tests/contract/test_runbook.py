"""docs/runbook.md has an entry for each alert, and every command in it is one that can be typed."""

import re
from pathlib import Path
from typing import Any

import pytest
import typer
import typer.main
import yaml

from engine.cli.main import app
from tests.support.docs.pages import ROOT, commands, inline, simple_commands

PAGE = (ROOT / "docs" / "runbook.md").read_text(encoding="utf-8")
ALERTS = [
    rule["alert"]
    for group in yaml.safe_load((ROOT / "docs" / "alerts.yml").read_text(encoding="utf-8"))["groups"]
    for rule in group["rules"]
    if "alert" in rule
]
PARTS = ("**Users notice**", "- **Causes**", "- **Mend**", "- **Wake**")
ENTRIES = {entry.partition("\n")[0]: entry for entry in re.split(r"^## ", PAGE, flags=re.MULTILINE)[1:]}
ROLES = re.findall(r"^\| (\w+) \|", PAGE, re.MULTILINE)[1:]
"""Whom one may wake, by the table."""
REFUSAL: Any = next(kind for kind in typer.BadParameter.__mro__ if kind.__name__ == "ClickException")
"""What a command raises for words that it does not take. Typer brings a click of its own, without a public name."""


def lines_of(text: str) -> list[str]:
    """The command lines of a text: in its blocks, and in sentences where they are whole."""
    return [command.text for command in commands(text)] + [code for code in inline(text) if code.startswith("patrol ")]


def refused(line: str, folder: Path) -> str:
    """Why `patrol` does not take a line, without running it; empty if it does."""
    for program, *words in simple_commands(line):
        if program != "patrol":
            continue
        command: Any = typer.main.get_command(app)
        names = [str(folder / word) if word.endswith(".toml") else word for word in words]
        while commands_of := getattr(command, "commands", {}):
            if not names or names[0] not in commands_of:
                return f"`{command.name or program}` has no command {' '.join(names[:1]) or 'by itself'}"
            command = commands_of[names.pop(0)]
        try:
            command.make_context(command.name, names)
        except REFUSAL as error:
            return str(error.format_message())
    return ""


def test_every_alert_has_its_entry_in_the_order_of_the_rules() -> None:
    assert [name for name in ENTRIES if name.startswith("Patrol")] == ALERTS


@pytest.mark.parametrize("alert", ALERTS)
def test_an_entry_says_what_somebody_on_call_needs(alert: str) -> None:
    entry = ENTRIES[alert]
    places = [entry.find(part) for part in PARTS]
    assert -1 not in places, f"{alert} lacks {PARTS[places.index(-1)]}"
    assert places == sorted(places)
    first = next(commands(entry))
    assert entry.find(first.text) < entry.find("- **Causes**"), "the first command comes before the causes"
    assert first.text.split()[0] in ("patrol", "curl", "journalctl", "df", "uptime")
    wake = entry.partition("- **Wake**: ")[2]
    assert re.search(rf"\b({'|'.join(ROLES)}|nobody)\b", wake), f"{alert} wakes somebody who is not in the table"


@pytest.mark.parametrize("name", ENTRIES)
def test_patrol_takes_every_line(name: str, tmp_path: Path) -> None:
    (tmp_path / "patrol.toml").touch()
    for line in lines_of(ENTRIES[name]):
        # In a sentence a command may stand for itself, without what it needs: `patrol resume`.
        problem = refused(line, tmp_path)
        assert not problem or re.match(r"Missing|You must give", problem), f"{line}: {problem}"
    for command in commands(ENTRIES[name]):
        assert not refused(command.text, tmp_path), command.text


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("patrol look", "has no command"),
        ("patrol notices", "has no command"),
        ("patrol cameras list --county 1", "No such option"),
        ("patrol findings list --severity bad", "is not one of"),
        ("patrol notices test", "Missing argument"),
        ("patrol top --once", ""),
        ("journalctl -u patrol | grep x", ""),
    ],
)
def test_a_line_that_cannot_be_typed_is_found(line: str, why: str, tmp_path: Path) -> None:
    assert why in refused(line, tmp_path)
    assert bool(refused(line, tmp_path)) == bool(why)
