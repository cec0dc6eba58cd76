"""The reader is one more process where it is installed and wanted, and none where it is not."""

from pathlib import Path

import pytest

from engine.config import Settings
from engine.config.calendar import Calendar
from engine.config.reader import ReaderSettings
from engine.supervisor import processes
from engine.supervisor.spare import is_whole


def roles(settings: Settings) -> list[str]:
    return [child.role for child in processes.plan(settings, Calendar(), Path("/run"))]


@pytest.mark.parametrize(
    ("installed", "enabled", "readers"), [(True, True, 1), (True, False, 0), (False, True, 0), (False, False, 0)]
)
def test_it_runs_where_it_is_installed_and_enabled(
    monkeypatch: pytest.MonkeyPatch, installed: bool, enabled: bool, readers: int
) -> None:
    monkeypatch.setattr(processes, "is_installed", lambda: installed)
    assert roles(Settings(reader=ReaderSettings(enabled=enabled))).count("reader") == readers


def test_it_is_given_only_what_it_needs_and_no_patrol_waits_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "is_installed", lambda: True)
    children = processes.plan(Settings(), Calendar(), Path("/run"))
    reader = next(child for child in children if child.role == "reader")
    assert set(reader.task["settings"]) == {"reader", "processes"}
    for child in children:
        child.ready = child is not reader
    assert is_whole(children)
