"""What is applied over the API to shards on a real PostgreSQL: it is stored first, and each hub that starts has it."""

import asyncio
import threading
from collections.abc import Coroutine, Iterator
from dataclasses import replace
from typing import Any, TypeVar

import pytest
from structlog.testing import capture_logs

from engine.config import Settings, loads
from engine.config.calendar import Calendar
from engine.config.diff import revision
from engine.errors import ConfigError, ConflictError
from engine.hub.configuration import Configuration
from engine.hub.services.configurations import ConfigurationService
from engine.hub.shards.applied_configuration import StartConfiguration
from engine.hub.thread_calls import ThreadCalls
from engine.model.config_report import ConfigReport
from engine.storage.db.shards.applied_configurations import AppliedConfiguration, AppliedConfigurations
from engine.storage.db.shards.fence import FencedError
from engine.storage.db.store import Store
from tests.support.cluster.site import AT_NS, Site, refused

pytestmark = pytest.mark.usefixtures("all_lines")

THREE = AppliedConfiguration("[judge]\nconfirm_n = 3\n", "0123456789ab", "chief", AT_NS)
FILE = "[judge]\nconfirm_n = 1\n[scheduler]\nseed = 5\n[record]\nkpi_days = 99\n"


Answer = TypeVar("Answer")


class Hub:
    """The configuration of a hub, with the thread that owns it. `stored`: None for an engine alone."""

    def __init__(self, stored: AppliedConfigurations | None) -> None:
        self.taken: list[Settings] = []
        self.counts: list[str] = []
        self.configuration = Configuration(
            loads(FILE),
            Calendar(),
            lambda settings, calendar, cores, wall_ns: [],
            lambda settings, calendar: self.taken.append(settings),
            self.counts.append,
            lambda *trees: None,
        )
        self._calls = ThreadCalls()
        self.service = ConfigurationService(self.configuration, self._calls, {}, stored)

    def apply(self, text: str, expected_revision: str = "", *, dry_run: bool = False) -> ConfigReport:
        """Apply a text as a caller named chief."""
        return self.answer(self.service.apply_config(text, expected_revision, dry_run, "chief"))

    def answer(self, question: Coroutine[Any, Any, Answer]) -> Answer:
        """Await what somebody asks, while a thread is the hub's."""
        done = threading.Event()

        def run() -> None:
            while not done.wait(0.005):
                self._calls.run_waiting()

        thread = threading.Thread(target=run)
        thread.start()
        try:
            return asyncio.run(question)
        finally:
            done.set()
            thread.join()

    @property
    def confirm_n(self) -> int:
        return self.configuration.settings.judge.confirm_n


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    store = Store.open(database_url)
    yield store
    store.close()


def test_what_was_applied_last_is_kept_and_nothing_else(store: Store) -> None:
    applied = store.applied_configurations
    assert applied.last() is None
    last = replace(THREE, toml="[judge]\nconfirm_n = 2\n# 厨房\n", who="王主任")
    for one in (THREE, last):
        applied.replace(one)
    assert applied.last() == last
    applied.replace(None)
    assert applied.last() is None


def test_shards_write_it_at_once_and_who_has_lost_its_shard_does_not(site: Site) -> None:
    zombie = site.open(site.take(1, "a", ttl_s=0.1))
    here, there = site.open(site.take(1, "a")), site.open(site.take(2))
    writers = [
        threading.Thread(target=lambda one=one: [one.applied_configurations.replace(THREE) for _ in range(20)])
        for one in (here, there)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert refused(zombie, lambda: zombie.applied_configurations.replace(None))
    assert here.applied_configurations.last() == there.applied_configurations.last() == THREE


def test_a_shard_stores_what_it_applies(site: Site) -> None:
    stored = site.open(site.take(1)).applied_configurations
    hub = Hub(stored)
    report = hub.apply("[judge]\nconfirm_n = 3\n[log]\nlevel = 'debug'\n")
    assert (report.applied, hub.confirm_n) == (True, 3)
    applied = stored.last()
    assert applied is not None
    # What waits for a restart is not in force, so it is not stored: the file has it.
    assert loads(applied.toml) == loads("[judge]\nconfirm_n = 3\n[scheduler]\nseed = 5\n")
    assert (applied.revision, applied.who) == (revision(hub.configuration.settings), "chief")
    assert applied.applied_wall_ns > AT_NS
    waiting = [warning for warning in report.warnings if "restart" in warning]
    assert [warning.partition(":")[0] for warning in waiting] == ["scheduler.seed", "log.level"]
    assert all("takes it from the file of each machine; put it there" in warning for warning in waiting)


def test_what_changes_nothing_is_stored_all_the_same(site: Site) -> None:
    stored = site.open(site.take(1)).applied_configurations
    assert not Hub(stored).apply("[judge]\nconfirm_n = 1\n").applied
    assert stored.last() is not None


@pytest.mark.parametrize("text", ["[judge]\nconfirm_nn = 3\n", "[judge]\nconfirm_n = 4\n", "[record]\nkpi_days = 41\n"])
def test_what_is_refused_is_not_stored_nor_is_a_dry_run(site: Site, text: str) -> None:
    stored = site.open(site.take(1)).applied_configurations
    hub = Hub(stored)
    with pytest.raises(ConfigError):
        hub.apply(text)
    with pytest.raises(ConflictError):
        hub.apply(THREE.toml, "0123456789ab")
    assert hub.apply(THREE.toml, dry_run=True).changes
    assert (stored.last(), hub.confirm_n, hub.counts) == (None, 1, ["refused"])


def test_what_cannot_be_stored_is_not_applied(site: Site) -> None:
    stored = site.open(site.take(1)).applied_configurations
    hub = Hub(stored)
    hub.apply(THREE.toml)
    before = stored.last()
    site.take(1)  # by the same owner: what has the epoch before is refused
    with capture_logs() as logged, pytest.raises(FencedError):
        hub.apply("[judge]\nconfirm_n = 2\n")
    assert (stored.last(), hub.confirm_n, len(hub.taken)) == (before, 3, 1)
    assert [line["event"] for line in logged] == [
        "a configuration that is not in force may be stored, and engines that start would take it; apply the one in "
        "force again"
    ]


def test_an_engine_alone_stores_nothing(store: Store) -> None:
    assert not store.is_shard
    hub = Hub(None)
    report = hub.apply("[judge]\nconfirm_n = 3\n")
    assert (report.applied, store.applied_configurations.last()) == (True, None)
    assert [warning.partition(";")[0] for warning in report.warnings] == ["scheduler.seed: needs a restart"]


def test_of_many_that_are_applied_at_once_the_last_one_is_stored_and_in_force(site: Site) -> None:
    stored = site.open(site.take(1)).applied_configurations
    hub = Hub(stored)

    async def apply_all() -> list[ConfigReport]:
        texts = [f"[scheduler]\nvisits_max = {number}\n" for number in range(100, 120)]
        return await asyncio.gather(*(hub.service.apply_config(text, "", False, "chief") for text in texts))

    assert len(hub.answer(apply_all())) == 20
    last = stored.last()
    assert last is not None
    assert loads(last.toml).scheduler.visits_max == hub.configuration.settings.scheduler.visits_max


def test_a_hub_that_starts_has_what_was_applied_and_its_file_s_other_keys(site: Site) -> None:
    stored = site.open(site.take(1)).applied_configurations
    said: list[tuple[Any, ...]] = []
    start = StartConfiguration(stored, lambda *trees: said.append(trees))
    assert start.over(loads(FILE), Calendar()) == loads(FILE)
    assert [start.is_used] == [False]
    stored.replace(replace(THREE, toml="[judge]\nconfirm_n = 3\n[scheduler]\nseed = 7\n"))
    with capture_logs() as logged:
        settings = start.over(loads(FILE), Calendar())
    assert settings == loads(FILE.replace("confirm_n = 1", "confirm_n = 3"))
    assert start.is_used
    ((tree, calendar),) = said
    assert (Settings.model_validate(tree), Calendar.model_validate(calendar)) == (settings, Calendar())
    assert [(line["event"], line["source"], line["changes"]) for line in logged] == [
        ("configuration changed", "applied configuration", ["judge.confirm_n: 1 -> 3"])
    ]


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("[judge]\nconfirm_nn = 3\n", "applied configuration: judge.confirm_nn: unknown key; did you mean confirm_n?"),
        ("[judge]\nconfirm_n = 4\n", "applied configuration: judge.confirm_n = 4"),
        ("[record]\nkpi_days = 40\n", "applied configuration: record.kpi_days: only the configuration file may change"),
    ],
)
def test_what_cannot_be_used_is_logged_with_the_remedy_and_the_file_stands(site: Site, text: str, what: str) -> None:
    stored = site.open(site.take(1)).applied_configurations
    stored.replace(replace(THREE, toml=text))
    said: list[tuple[Any, ...]] = []
    start = StartConfiguration(stored, lambda *trees: said.append(trees))
    with capture_logs() as logged:
        assert start.over(loads(FILE), Calendar()) == loads(FILE)
    assert not start.is_used
    assert not said
    (line,) = logged
    assert line["log_level"] == "error"
    assert line["event"] == "the applied configuration cannot be used here, the machine's file stands"
    assert what in line["detail"]
    assert (line["who"], "patrol config apply FILE" in line["remedy"]) == ("chief", True)


def test_what_is_applied_while_a_hub_starts_is_in_force_when_visits_begin(site: Site) -> None:
    stored = site.open(site.take(1)).applied_configurations
    start, hub = StartConfiguration(stored, lambda *trees: None), Hub(stored)
    start.over(hub.configuration.settings, Calendar())
    start.catch_up(hub.configuration)
    assert not hub.taken
    stored.replace(THREE)
    start.catch_up(hub.configuration)
    assert [settings.judge.confirm_n for settings in hub.taken] == [3]
    stored.replace(replace(THREE, toml="[judge]\nconfirm_nn = 3\n"))
    with capture_logs() as logged:
        start.catch_up(hub.configuration)
    assert (hub.confirm_n, [line["log_level"] for line in logged]) == (3, ["error"])
