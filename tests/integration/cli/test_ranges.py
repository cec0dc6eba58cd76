"""Ranges that end before they begin are errors, on the command line and in the API; files are checked first."""

from datetime import date
from pathlib import Path

import pytest

from engine.client import CallError
from engine.model.access import AuditQuery
from engine.model.kpi import KpiBy, KpiQuery, LeagueQuery
from engine.storage.db.store import Store
from tests.support.command_line import patrol
from tests.support.digests import fill_city
from tests.support.serve.served import serving


@pytest.fixture(scope="module")
def config(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("ranges")
    store = Store.open(f"sqlite:///{folder}/patrol.db")
    fill_city(store)
    store.close()
    (folder / "patrol.toml").write_text(
        f'[record]\nurl = "sqlite:///{folder}/patrol.db"\n[serve]\ngrpc_listen = "127.0.0.1:1"\n'
    )
    return folder / "patrol.toml"


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (
            "kpi --from 2026-03-05 --to 2026-03-01",
            "--from 2026-03-05 --to 2026-03-01: the last day lies before the first",
        ),
        ("kpi league --from 2026-03-05 --to 2026-03-01", "the last day lies before the first; exchange the two"),
        ("kpi --from 2999-01-01", "nothing is counted in these days: the first day is 2999-01-01, the last 2026-03-08"),
        ("export days x.parquet --since 2026-03-05 --until 2026-03-01", "the end is not after the start"),
        ("export verdicts x.parquet --since 2999-03-05", "--until now: the end is not after the start"),
        ("report --week 2999-W01 --html x.html", "begins on 2998-12-31, which is still to come"),
    ],
)
def test_a_range_that_ends_before_it_begins_is_refused(command: str, said: str, config: Path) -> None:
    done = patrol(*command.split(), "--config", str(config), cwd=config.parent)
    assert (done.returncode, done.stdout) == (2, "")
    assert said in " ".join(done.stderr.split())
    assert not list(config.parent.glob("x.*"))


def test_the_api_names_the_field_of_such_a_range(tmp_path: Path) -> None:
    first, last = date(2026, 3, 5), date(2026, 3, 1)
    with serving(tmp_path) as served:
        client = served.client
        for call, field in (
            (lambda: client.kpis(KpiQuery("", KpiBy.COUNTY, first, last)), "to_day"),
            (lambda: client.league(LeagueQuery(from_day=first, to_day=last)), "to_day"),
            (
                lambda: list(client.access.audit_entries(AuditQuery(from_wall_ns=2 * 10**9, until_wall_ns=10**9))),
                "filter.end_time",
            ),
        ):
            with pytest.raises(CallError, match="exchange the two") as caught:
                call()
            assert caught.value.status == "INVALID_ARGUMENT"
            assert [name for name, _ in caught.value.violations] == [field]


OUTPUTS = (
    "check absent.mp4 --picture", "report --day 2026-03-02 --html", "report --day 2026-03-02 --csv", "kpi --csv",
    "export days", "simulate --cameras 10 --hours 0.1 --plot", "cameras export", "db backup", "spot-check --csv",
)  # fmt: skip


@pytest.mark.parametrize("command", OUTPUTS)
def test_a_file_that_cannot_be_written_is_refused_before_the_work(command: str, config: Path) -> None:
    ending = ".png" if "picture" in command or "plot" in command else ".csv"
    path = f"/no/such/dir/a{ending}"
    options = ("--config", str(config))
    done = patrol(*command.split(), path, *options, cwd=config.parent)
    assert (done.returncode, done.stdout) == (2, "")
    said = " ".join(done.stderr.split())
    assert said.startswith("error (config): "), said
    assert f"{path}: there is no folder /no/such/dir; make it, or name another" in said


def test_a_folder_and_an_unknown_ending_are_no_picture(tmp_path: Path) -> None:
    folder, text = tmp_path / "a.png", tmp_path / "a.txt"
    folder.mkdir()
    for path, said in ((folder, "is a folder"), (text, "allowed: .png, .jpg")):
        done = patrol("check", "absent.mp4", "--picture", str(path))
        assert (done.returncode, done.stdout) == (2, "")
        assert said in done.stderr
