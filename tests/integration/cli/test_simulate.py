"""`patrol simulate` as a person runs it: exit codes, words, what a program reads, the picture."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

KEYS = {
    "plan", "cameras", "uplinks", "platforms", "counties", "hours", "cores", "seed", "revision", "visits",
    "visits_by_class", "coverage", "coverage_by_county", "lag_s", "achieved_period_s", "stretch_max", "shed",
    "first_round", "connections", "mbit_s", "network", "cpu", "demand_per_s_max", "cores_needed", "connections_needed",
    "bottlenecks", "due", "failures", "presumed", "expired", "outages", "troubles", "promises", "events", "digest",
}  # fmt: skip
CLASSES = {"key_point", "ordinary", "suspicious", "offline"}


def simulate(*arguments: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "engine.cli", "simulate", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, cwd=cwd, timeout=100, check=False)


def figures(*arguments: object) -> Any:
    done = simulate("--json", *arguments)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture
def morning(tmp_path: Path) -> Path:
    """A world that begins when kitchens work."""
    path = tmp_path / "world.toml"
    path.write_text("start = 2026-11-23T08:00:00\n", encoding="utf-8")
    return path


def test_json_has_what_the_page_says(morning: Path) -> None:
    found = figures("--cameras", 600, "--hours", 1, "--cores", 2, "--seed", 1, "--world", morning)
    assert set(found) == KEYS
    assert (found["plan"], found["cameras"], found["hours"], found["cores"], found["seed"]) == (
        "defaults",
        600,
        1,
        2,
        1,
    )
    assert found["coverage"]["key_point"] == 1.0
    for by_class in ("visits_by_class", "coverage", "lag_s", "achieved_period_s", "stretch_max"):
        assert set(found[by_class]) == CLASSES
    assert set(found["lag_s"]["key_point"]) == {"p50", "p99", "max"}
    assert found["visits"] == sum(found["visits_by_class"].values()) > 1500
    assert found["cores_needed"] == 1
    assert found["connections_needed"] > 3
    assert set(found["network"]) == {"sub_visits", "gbyte", "mbit_s_p95", "uplinks", "counties"}
    assert set(found["network"]["counties"]) == {"max", "median", "busiest"}
    assert found["promises"]["broken"] == []
    assert len(found["digest"]) == 32


def test_the_same_command_gives_the_same_digest(morning: Path) -> None:
    same = ["--cameras", 600, "--hours", 0.5, "--world", morning, "--faults", "all"]
    first = figures(*same, "--seed", 3)["digest"]
    assert figures(*same, "--seed", 3)["digest"] == first
    assert figures(*same, "--seed", 4)["digest"] != first


def test_two_plans_are_laid_beside_each_other(morning: Path, tmp_path: Path) -> None:
    from PIL import Image

    ours, theirs, picture = tmp_path / "ours.toml", tmp_path / "theirs.toml", tmp_path / "two.png"
    ours.write_text("", encoding="utf-8")
    theirs.write_text("[scheduler]\nkey_period_s = 300\n", encoding="utf-8")
    both = ["--config", ours, "--against", theirs, "--cameras", 600, "--hours", 0.5, "--world", morning]
    first, second = figures(*both)
    assert (first["plan"], second["plan"]) == ("ours.toml", "theirs.toml")
    assert second["visits_by_class"]["key_point"] > 2 * first["visits_by_class"]["key_point"]
    assert first["revision"] != second["revision"]
    done = simulate(*both, "--plot", picture)
    assert done.returncode == 0
    assert f"drew {picture}" in done.stderr.replace("\n", "")
    lines = [line.split() for line in done.stdout.splitlines()]
    assert [line[:3] for line in lines if line[:2] == ["key", "point"]] == [
        ["key", "point", "ours.toml"],
        ["key", "point", "theirs.toml"],
    ]
    with Image.open(picture) as drawn:
        assert drawn.format == "PNG"
        assert drawn.width > 1.5 * drawn.height, "two columns"
        assert np.unique(np.asarray(drawn.convert("L"))).size > 30, "there is something on it"


def test_a_table_says_what_a_person_asks(morning: Path) -> None:
    done = simulate("--cameras", 600, "--hours", 0.5, "--world", morning, "--faults", "platform_restart")
    assert done.returncode == 0
    for words in (
        "600 cameras on", "key point", "ordinary", "cores needed", "connections needed", "worst county's coverage",
        "platform restart", "recovered after", "first round: lasted", "every promise held, checked 30 times",
    ):  # fmt: skip
        assert words in done.stdout


def test_a_registry_is_rehearsed_and_its_bad_rows_are_named(morning: Path, tmp_path: Path) -> None:
    rows = tmp_path / "cameras.csv"
    good = [f"c{n},rtsp://p.example/{n},nvr{n // 2},130102,cooking" for n in range(20)]
    rows.write_text("\n".join(["camera_id,url,uplink,region,key_point", *good, "bad,gopher://h/1,,130102,cooking"]))
    done = simulate("--registry", rows, "--hours", 1, "--world", morning, "--json")
    assert done.returncode == 0
    assert "line 22, url" in done.stderr
    assert "the row is left out" in done.stderr
    found = json.loads(done.stdout)
    assert (found["cameras"], found["uplinks"], found["platforms"], found["counties"]) == (20, 10, 1, 1)


def test_a_cap_that_is_too_small_is_told_with_its_arithmetic(morning: Path, tmp_path: Path) -> None:
    plan = tmp_path / "plan.toml"
    plan.write_text("[scheduler]\nkey_period_s = 30\nvisits_per_host_max = 10\n", encoding="utf-8")
    done = simulate("--config", plan, "--cameras", 600, "--hours", 0.25, "--world", morning)
    assert done.returncode == 0, "nothing was promised that cannot be kept"
    told = " ".join(done.stdout.split())
    assert "plan.toml: platform-0: its 600 cameras' periods ask for" in told
    assert "scheduler.visits_per_host_max is 10" in told


def test_a_broken_promise_ends_with_1(morning: Path, tmp_path: Path) -> None:
    """No key point can be seen within twice its period where every second camera is lost to the feeder."""
    plan, faults = tmp_path / "plan.toml", tmp_path / "faults.toml"
    plan.write_text("[scheduler]\nkey_period_s = 30\nordinary_period_s = 30\norder_timeout_s = 60\n", encoding="utf-8")
    faults.write_text("lost_share = 0.3\n", encoding="utf-8")
    done = simulate(
        "--config", plan, "--cameras", 100, "--hours", 0.1, "--world", morning, "--faults", faults, "--json"
    )
    assert done.returncode == 1
    assert "can be reached and was not seen for" in json.loads(done.stdout)["promises"]["broken"][0]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--cameras", 0], "--cameras 0: allowed: 1 to 2,000,000"),
        (["--cameras", 2_000_001], "--cameras 2000001: allowed: 1 to 2,000,000"),
        (["--cameras", 5, "--registry", "x.csv"], "--cameras and --registry: give one of them"),
        (["--faults", "flood"], "--faults 'flood': neither a preset nor a file; allowed: none, offline"),
        (["--world", "no.toml"], "no.toml: No such file or directory; give a readable TOML file"),
        (["--plot", "x.bmp"], "--plot x.bmp: its ending is not known; allowed: .png, .svg, .pdf"),
        (["--plot", "no/x.png"], "--plot no/x.png: there is no folder no; make it, or name another"),
        (["--against", "no.toml"], "no.toml: cannot be read"),
        (["--hours", 0], "--hours"),
        (["--cores", -1], "--cores"),
        (["--seed", -1], "--seed"),
    ],
)
def test_what_cannot_be_rehearsed_is_refused_in_words(tmp_path: Path, arguments: list[object], said: str) -> None:
    done = simulate(*arguments, cwd=tmp_path)
    assert done.returncode == 2
    assert said in " ".join(done.stderr.split())
    assert "Traceback" not in done.stderr


def test_help_names_every_option() -> None:
    done = simulate("--help")
    assert done.returncode == 0
    for option in (
        "config",
        "cameras",
        "registry",
        "hours",
        "cores",
        "seed",
        "faults",
        "world",
        "against",
        "plot",
        "json",
    ):
        assert f"--{option}" in done.stdout


def night(tmp_path: Path) -> Path:
    """A world that begins when kitchens rest."""
    path = tmp_path / "night.toml"
    path.write_text("start = 2026-11-23T00:00:00\n", encoding="utf-8")
    return path


def test_a_world_in_which_nothing_is_due_keeps_no_promise(tmp_path: Path) -> None:
    arguments = ("--cameras", 60, "--hours", 1, "--world", night(tmp_path))
    done = simulate(*arguments)
    said = " ".join(done.stdout.split())
    assert done.returncode == 1, done.stdout
    assert "every promise held" not in said
    assert "no promise was broken, but nothing was due for 60 cameras; the kitchens of 60 rest throughout" in said
    assert "from Mon 2026-11-23 00:00 (Asia/Shanghai) on" in said
    due = json.loads(simulate(*arguments, "--json").stdout)["due"]
    assert (due["periods"], due["cameras_working"], due["enough"]) == (0, 0, False)
    assert len(due["why"]) == 1


def test_little_due_is_said_and_enough_is_not(morning: Path) -> None:
    short = simulate("--cameras", 60, "--hours", 0.27, "--world", morning, "--json")
    due = json.loads(short.stdout)["due"]
    assert short.returncode == (0 if due["periods"] else 1)
    assert not due["enough"]
    assert "simulate more with --hours" in due["why"][0]
    long = figures("--cameras", 60, "--hours", 2, "--world", morning)["due"]
    assert (long["enough"], long["why"], long["cameras_working"]) == (True, [], 60)
    assert long["periods"] > 60
