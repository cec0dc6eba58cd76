"""Reloading: what is taken, what waits for a restart, what is refused, and that the old configuration then stands."""

import os
import signal
import threading
from collections.abc import Iterator, MutableMapping
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from engine.config import Settings, loads
from engine.config.calendar import Calendar
from engine.config.describe import rows
from engine.config.diff import diff, hot_part, revision
from engine.errors import ConfigError, ConflictError
from engine.hub.configuration import REQUEST, Configuration
from engine.hub.reloads import Reloads
from engine.hub.thread_calls import ThreadCalls
from engine.model.config_report import ConfigReport
from engine.runtime.config_watch import FileWatch, Hangups
from tests.support.waiting import wait_until

pytestmark = pytest.mark.usefixtures("all_lines")

SHUT = 'timezone = "Asia/Shanghai"\n[[holidays]]\nfirst = 2026-10-01\nlast = 2026-10-07\n'


class Desk:
    """A configuration with everybody that it talks to, and what each of them heard."""

    def __init__(self, folder: Path, text: str = "") -> None:
        self.path = folder / "patrol.toml"
        self.taken: list[tuple[Settings, Calendar]] = []
        self.told: list[str] = []
        self.said: list[tuple[Any, ...]] = []
        self.warnings: list[str] = []
        self.configuration = Configuration(
            loads(text),
            Calendar(),
            lambda settings, calendar, cores, wall_ns: list(self.warnings),
            lambda settings, calendar: self.taken.append((settings, calendar)),
            self.told.append,
            lambda *trees: self.said.append(trees),
        )
        self.calls = ThreadCalls()
        self.reloads = Reloads(self.calls, self.configuration)

    @property
    def in_force(self) -> Settings:
        return self.configuration.settings

    def reload(self, text: str) -> list[MutableMapping[str, Any]]:
        """Write the file and have it read; returns what was logged."""
        self.path.write_text(text)
        return self.hang_up()

    def hang_up(self) -> list[MutableMapping[str, Any]]:
        """Have the file read as it is; returns what was logged."""
        with capture_logs() as logged:
            self.reloads.begin(str(self.path))
            wait_until(self._answered)
        return logged

    def apply(self, text: str, **options: Any) -> ConfigReport:
        """Apply a text as a caller of the API does."""
        return self.configuration.apply(loads(text, REQUEST), **options)

    def _answered(self) -> bool:
        self.calls.run_waiting()
        return not self.reloads.busy


@pytest.fixture
def desk(tmp_path: Path) -> Desk:
    return Desk(tmp_path)


def test_a_good_file_is_taken_as_one_event_and_said_to_all(desk: Desk) -> None:
    (line,) = desk.reload("[scheduler]\nkey_period_s = 60\nvisits_max = 7\n")
    ((settings, calendar),) = desk.taken
    assert (settings.scheduler.key_period_s, settings.scheduler.visits_max) == (60, 7)
    assert calendar == Calendar()
    ((tree, calendar_tree),) = desk.said
    assert desk.in_force == settings == Settings.model_validate(tree)
    assert calendar == Calendar.model_validate(calendar_tree)
    assert desk.told == ["applied"]
    assert line["event"] == "configuration changed"
    assert line["changes"] == ["scheduler.key_period_s: 900.0 -> 60.0", "scheduler.visits_max: 1000 -> 7"]
    assert line["revision"] == revision(settings)


def test_the_same_file_once_more_changes_nothing(desk: Desk) -> None:
    for _ in range(3):
        desk.reload("[scheduler]\nkey_period_s = 60\n")
    assert desk.told == ["applied", "unchanged", "unchanged"]
    assert len(desk.taken) == len(desk.said) == 1


def test_keys_that_need_a_restart_stay_as_they_are_and_are_named(desk: Desk) -> None:
    text = "[scheduler]\nkey_period_s = 60\nseed = 9\n[feed]\nfeeders = 3\ndeadline_s = 9\n"
    logged = desk.reload(text)
    assert desk.in_force.scheduler.key_period_s == 60
    assert desk.in_force.feed.deadline_s == 9
    assert (desk.in_force.scheduler.seed, desk.in_force.feed.feeders) == (0, 1)
    warned = [line["detail"] for line in logged if line["log_level"] == "warning"]
    assert [warning.partition(":")[0] for warning in warned] == ["feed.feeders", "scheduler.seed"]
    assert all("needs a restart" in warning for warning in warned)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[scheduler", "is not TOML"),
        ("[scheduler]\nkey_perod_s = 60", "scheduler.key_perod_s: unknown key; did you mean key_period_s?"),
        ("[scheduler]\nkey_period_s = 0", "scheduler.key_period_s = 0"),
        ("[scheduler]\nordinary_period_s = -5", "scheduler.ordinary_period_s = -5"),
        ("[scheduler]\nkey_period_s = nan", "scheduler.key_period_s = nan"),
        ("[scheduler]\nhours = '6-7'", "scheduler.hours = '6-7': '6-7' is no interval"),
        ("[scheduler]\norder_timeout_s = 5", "must be more than feed.deadline_s"),
        ("[scheduler]\ncalendar_file = '/nowhere/calendar.toml'", "No such file"),
        ("[judge]\nconfirm_n = 4", "judge.confirm_n = 4"),
    ],
)
def test_a_bad_file_keeps_the_old_configuration_and_says_why_in_log_and_metric(
    desk: Desk, text: str, what: str
) -> None:
    desk.reload("[scheduler]\nkey_period_s = 60\n")
    before = desk.in_force
    (line,) = desk.reload(text)
    assert line["event"] == "configuration refused, the old one stands"
    assert line["log_level"] == "error"
    assert what in line["detail"]
    assert line["file"] == str(desk.path)
    assert desk.told == ["applied", "refused"]
    assert desk.in_force is before
    assert len(desk.taken) == len(desk.said) == 1


def test_a_file_that_is_gone_is_refused(desk: Desk) -> None:
    logged = desk.hang_up()
    assert "No such file" in logged[0]["detail"]
    assert desk.told == ["refused"]


def test_a_call_is_answered_with_what_changed_or_with_what_is_wrong(desk: Desk) -> None:
    report = desk.apply("[scheduler]\nkey_period_s = 60\nseed = 4\n")
    assert report.applied
    assert [(change.key, change.old, change.new, change.hot) for change in report.changes] == [
        ("scheduler.key_period_s", "900.0", "60.0", True),
        ("scheduler.seed", "0", "4", False),
    ]
    assert report.revision == revision(desk.in_force)
    with pytest.raises(ConfigError, match=r"request: scheduler\.key_period_s = -1"):
        desk.apply("[scheduler]\nkey_period_s = -1\n")
    assert desk.in_force.scheduler.key_period_s == 60
    assert desk.told == ["applied"], "what is no configuration never comes to the hub's thread"


def test_a_dry_run_says_what_would_change_and_changes_nothing(desk: Desk) -> None:
    before = revision(desk.in_force)
    report = desk.apply("[scheduler]\nkey_period_s = 60\n", dry_run=True)
    assert [change.key for change in report.changes] == ["scheduler.key_period_s"]
    assert (report.applied, report.revision) == (False, before)
    with pytest.raises(ConfigError):
        desk.apply("[scheduler", dry_run=True)
    assert (desk.told, desk.taken, desk.said) == ([], [], [])


def test_of_two_changes_made_from_the_same_revision_the_second_is_refused(desk: Desk) -> None:
    seen = revision(desk.in_force)
    desk.apply("[scheduler]\nkey_period_s = 60\n", expected_revision=seen)
    with pytest.raises(ConflictError, match="somebody changed them meanwhile"):
        desk.apply("[scheduler]\nkey_period_s = 70\n", expected_revision=seen)
    assert desk.in_force.scheduler.key_period_s == 60
    desk.apply("[scheduler]\nkey_period_s = 70\n", expected_revision=revision(desk.in_force))
    assert desk.in_force.scheduler.key_period_s == 70


def test_once_a_lasting_one_was_applied_a_file_changes_only_what_the_api_may_not(desk: Desk) -> None:
    text = "[scheduler]\nkey_period_s = 70\n[record]\nkpi_days = 99\n[feed]\nschemes = ['rtsp']\n"
    desk.apply("[scheduler]\nkey_period_s = 60\n", dry_run=True, lasting=True)
    desk.reload("[scheduler]\nkey_period_s = 50\n")
    assert desk.in_force.scheduler.key_period_s == 50, "nothing was applied yet"
    desk.apply("[scheduler]\nkey_period_s = 60\n", lasting=True)
    (line,) = desk.reload(text)
    assert desk.in_force == loads(text.replace("70", "60"))
    assert [change.partition(":")[0] for change in line["changes"]] == ["feed.schemes", "record.kpi_days"]
    assert desk.told == ["applied"] * 3


def test_what_a_shard_starts_with_outlasts_a_reload_too(desk: Desk) -> None:
    desk.configuration.catch_up(loads("[scheduler]\nkey_period_s = 60\n"))
    desk.reload("[scheduler]\nkey_period_s = 70\n")
    assert desk.in_force.scheduler.key_period_s == 60
    with pytest.raises(ConfigError, match=r"applied configuration: record\.kpi_days: only the configuration file"):
        desk.configuration.catch_up(loads("[record]\nkpi_days = 40\n"))


def test_what_would_be_in_force_is_told_and_changes_nothing(desk: Desk) -> None:
    before = desk.in_force
    outcome = desk.configuration.outcome(loads("[scheduler]\nkey_period_s = 60\nseed = 9\n"), revision(before))
    assert outcome == loads("[scheduler]\nkey_period_s = 60\n")
    assert (desk.in_force, desk.told, desk.taken) == (before, [], [])


def test_a_calendar_that_changes_alone_is_taken(desk: Desk, tmp_path: Path) -> None:
    calendar = tmp_path / "calendar.toml"
    calendar.write_text('timezone = "Asia/Shanghai"\n')
    text = f"[scheduler]\ncalendar_file = '{calendar}'\n"
    desk.reload(text)
    calendar.write_text(SHUT)
    (line,) = desk.reload(text)
    assert line["changes"] == ["scheduler.calendar_file: what it holds"]
    assert desk.told == ["applied", "applied"]
    assert len(desk.taken[-1][1].holidays) == 1
    assert Calendar.model_validate(desk.said[-1][1]) == desk.taken[-1][1]


@pytest.mark.parametrize(
    ("content", "what"),
    [
        (b"[[holidays]]\nfirst = 2026-10-07\nlast = 2026-10-01\n", "is after last"),
        (b'[sites]\ns1 = "5-6"\n', "is no interval"),
        (b"timezone", "is not TOML"),
        (b"\xff\xfe", "is not TOML"),
        (None, "No such file"),
    ],
)
def test_a_calendar_that_turns_bad_keeps_the_old_one_and_all_other_keys(
    desk: Desk, tmp_path: Path, content: bytes | None, what: str
) -> None:
    calendar = tmp_path / "calendar.toml"
    calendar.write_text(SHUT)
    desk.reload(f"[scheduler]\ncalendar_file = '{calendar}'\n")
    if content is None:
        calendar.unlink()
    else:
        calendar.write_bytes(content)
    (line,) = desk.reload(f"[scheduler]\ncalendar_file = '{calendar}'\nkey_period_s = 60\n")
    assert what in line["detail"]
    assert desk.told == ["applied", "refused"]
    assert desk.in_force.scheduler.key_period_s == 900
    assert len(desk.taken) == 1
    calendar.write_text(SHUT)
    desk.reload(f"[scheduler]\ncalendar_file = '{calendar}'\nkey_period_s = 60\n")
    assert desk.told[-1] == "applied"


def test_what_the_operator_should_know_stands_in_reply_and_log(desk: Desk) -> None:
    desk.warnings = ["131,072 cameras x 3 s / 300 s = 1,311 visits in flight, scheduler.visits_max is 500"]
    assert desk.apply("[scheduler]\nvisits_max = 500\n").warnings == tuple(desk.warnings)
    logged = desk.reload("[scheduler]\nvisits_max = 501\n")
    assert [line["detail"] for line in logged if line["log_level"] == "warning"] == desk.warnings
    assert desk.configuration.warnings() == desk.warnings


def test_the_hot_part_takes_every_hot_key_and_no_other() -> None:
    new = loads(
        "[feed]\ndeadline_s = 9\nfeeders = 5\n[worker]\ncount = 3\njob_timeout_s = 9\n"
        "[scheduler]\nseed = 8\njitter = 0\n[record]\nurl = 'sqlite:///x.db'\nevidence = 'none'\n"
        "[log]\nlevel = 'error'\n[reload]\nwatch_s = 1\n"
    )
    hot = {row.section + "." + row.key: row.hot for row in rows()}
    taken = {change.key for change in diff(Settings(), hot_part(Settings(), new))}
    wanted = {change.key for change in diff(Settings(), new)}
    assert taken == {key for key in wanted if hot[key]}
    assert len(wanted - taken) == 5
    assert hot_part(new, new) == new


def test_a_revision_is_that_of_the_values_whatever_the_file_looks_like() -> None:
    assert revision(loads("[scheduler]\nkey_period_s = 60.0\n")) == revision(
        loads("# a comment\n[scheduler]\nkey_period_s=60\nvisits_max = 1000\n")
    )
    assert revision(loads("[scheduler]\nkey_period_s = 60\n")) != revision(Settings())
    assert len(revision(Settings())) == 12


def test_passwords_do_not_stand_in_what_is_said_of_a_change() -> None:
    (change,) = diff(Settings(), loads("[record]\nurl = 'postgresql://patrol:secret@db/patrol'\n"))
    assert "secret" not in change.new
    assert "db/patrol" in change.new


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    path = tmp_path / "patrol.toml"
    path.write_text("[scheduler]\n")
    return path


def test_a_file_is_changed_once_for_each_change(watched: Path) -> None:
    watch = FileWatch(watched)
    assert not watch.changed(1e-9)
    watched.write_text("[scheduler]\nkey_period_s = 60\n")
    assert watch.changed(1e-9)
    assert not watch.changed(1e-9)


def test_a_file_of_the_same_size_or_of_the_same_time_is_changed_too(watched: Path) -> None:
    watch, about = FileWatch(watched), watched.stat()
    os.utime(watched, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    assert watch.changed(1e-9)
    watched.write_text("[scheduler]\n\n")
    os.utime(watched, ns=(about.st_atime_ns, about.st_mtime_ns + 1))
    assert watch.changed(1e-9)


def test_a_file_that_is_gone_for_a_while_is_not_changed_unless_it_comes_back_another(watched: Path) -> None:
    watch = FileWatch(watched)
    kept = watched.rename(watched.with_suffix(".kept"))
    assert not watch.changed(1e-9)
    kept.rename(watched)
    assert not watch.changed(1e-9)
    watched.unlink()
    assert not watch.changed(1e-9)
    watched.write_text("[scheduler]\nkey_period_s = 60\n")
    assert watch.changed(1e-9)


def test_nobody_looks_at_a_file_when_watching_is_off_or_not_yet_due(watched: Path) -> None:
    watch = FileWatch(watched)
    watched.write_text("[scheduler]\nkey_period_s = 60\n")
    assert not watch.changed(0.0)
    assert watch.changed(3600.0), "what changed before the first look counts"
    watched.write_text("[scheduler]\nkey_period_s = 7\n")
    assert not watch.changed(3600.0)
    assert not FileWatch(None).changed(1e-9)


def test_the_calendar_is_watched_with_the_file_that_names_it(watched: Path, tmp_path: Path) -> None:
    watch, calendar = FileWatch(watched), tmp_path / "calendar.toml"
    calendar.write_text("")
    assert watch.changed(1e-9, str(calendar)), "it may have changed since it was read"
    assert not watch.changed(1e-9, str(calendar))
    calendar.write_text(SHUT)
    assert watch.changed(1e-9, str(calendar))
    assert not watch.changed(1e-9, str(calendar))
    calendar.unlink()
    assert not watch.changed(1e-9, str(calendar))


@pytest.fixture
def hangups() -> Iterator[Hangups]:
    before = signal.getsignal(signal.SIGHUP)
    yield Hangups()
    signal.signal(signal.SIGHUP, before)


def test_hangups_in_a_row_are_one(hangups: Hangups) -> None:
    assert not hangups.received()
    for _ in range(3):
        os.kill(os.getpid(), signal.SIGHUP)
    assert hangups.received()
    assert not hangups.received()


def test_a_hangup_sent_by_another_is_heard_in_the_main_thread(hangups: Hangups) -> None:
    sender = threading.Thread(target=lambda: os.kill(os.getpid(), signal.SIGHUP))
    sender.start()
    sender.join()
    wait_until(hangups.received, 5)
