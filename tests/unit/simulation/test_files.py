"""Files of a rehearsal, the world and the faults: what is wrong is named, with what is allowed and the remedy."""

import datetime
from pathlib import Path

import pytest

from engine.errors import ConfigError
from engine.model.keyframe import Codec
from engine.model.visit import FailureReason
from engine.simulation.faults import PRESETS, Faults, load_faults
from engine.simulation.world import World, load_world

WORLD_KEYS = "connect_s_max, connect_s_min, failure_s, gop_cached_share, hours, intervals, start, streams, sub_share"


def write(folder: Path, text: str) -> Path:
    path = folder / "file.toml"
    path.write_text(text, encoding="utf-8")
    return path


def refused(folder: Path, text: str, *, faults: bool = False) -> list[str]:
    """What is said of the file, a line each, without its name."""
    path = write(folder, text)
    with pytest.raises(ConfigError) as raised:
        load_faults(str(path)) if faults else load_world(path)
    lines = str(raised.value).splitlines()
    assert all(line.startswith(f"{path}: ") for line in lines)
    return [line.removeprefix(f"{path}: ") for line in lines]


def test_without_a_file_the_world_is_the_default_one() -> None:
    assert load_world(None) == World()


def test_a_file_changes_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    world = load_world(
        write(
            tmp_path,
            'start = 2026-12-01T06:00:00\nconnect_s_max = 2\nstreams = [{name = "x", codec = "h265", kbit_s = 4000, '
            "cpu_ms = 20, share = 1}]\n[failure_s]\nrefused = 0.3\n",
        )
    )
    assert (world.connect_s_min, world.connect_s_max) == (0.2, 2.0)
    assert world.start == datetime.datetime(2026, 12, 1, 6)  # noqa: DTZ001
    assert [stream.codec for stream in world.streams] == [Codec.H265]
    assert world.failure_s[FailureReason.REFUSED] == 0.3
    assert world.failure_s[FailureReason.DNS] == World().failure_s[FailureReason.DNS]
    assert world.intervals == World().intervals


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("connect_s_min = -1", ["connect_s_min = -1: allowed: at least 0; correct the entry"]),
        (
            "connect_s_min = 3",
            ["file: connect_s_min (3) is more than connect_s_max (0.8); exchange the two; correct the entry"],
        ),
        (
            "conect_s_min = 1",
            [
                f"conect_s_min: unknown key; did you mean connect_s_min? known here: {WORLD_KEYS}; correct the name or "
                "delete the line"
            ],
        ),
        ("gop_cached_share = 2", ["gop_cached_share = 2: allowed: at most 1; correct the entry"]),
        ("start = 5", ["start = 5: allowed: a date and time, like 2026-10-01T05:00:00; correct the entry"]),
        (
            'streams = [{name = "x", codec = "h266", kbit_s = 0, cpu_ms = 1, shares = 1}]',
            [
                "streams.0.codec = 'h266': allowed: h264, h265, mjpeg; correct the entry",
                "streams.0.kbit_s = 0: allowed: more than 0; correct the entry",
                "streams.0.share: is missing; add it",
                "streams.0.shares: unknown key; did you mean share? known here: codec, cpu_ms, kbit_s, name, share, "
                "sub_cpu_ms, sub_kbit_s; correct the name or delete the line",
            ],
        ),
        (
            "intervals = []",
            ["intervals: allowed: at least 1 entries; correct the entry"],
        ),
        (
            'hours = [{hours = "6:00-5:00", share = 1}]',
            [
                "hours.0.hours = '6:00-5:00': '6:00-5:00' is no interval; allowed: [days ]HH:MM-HH:MM[,HH:MM-HH:MM]"
                "[; ...] with days like mon-fri or sat,sun; correct the entry"
            ],
        ),
        (
            "[failure_s]\nrefused = 0",
            [
                "failure_s: refused = 0: allowed: more than 0, at most 300 (seconds); correct the entry",
            ],
        ),
        (
            "[failure_s]\ntimeout_keyframe = 3",
            ["failure_s: timeout_keyframe: lasts what the configuration says; delete the line; correct the entry"],
        ),
        ("= 3", ["is not TOML: Invalid statement (at line 1, column 1)"]),
    ],
)
def test_a_world_file_with_errors_is_refused_with_each_of_them(tmp_path: Path, text: str, said: list[str]) -> None:
    assert refused(tmp_path, text) == said


def test_a_world_file_that_cannot_be_read_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"none\.toml: No such file or directory; give a readable TOML file"):
        load_world(tmp_path / "none.toml")
    path = write(tmp_path, "#" * (1024 * 1024 + 1))
    with pytest.raises(ConfigError, match="more than 1,048,576 bytes; shorten it"):
        load_world(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("offline_share = 1.5", ["offline_share = 1.5: allowed: at most 1; correct the entry"]),
        (
            "[offline_reasons]\nrefused = 0",
            ["offline_reasons: refused = 0: allowed: more than 0; delete the line; correct the entry"],
        ),
        (
            "[[storms]]\nat_share = 2\nfor_s = 0",
            [
                "storms.0.at_share = 2: allowed: at most 1; correct the entry",
                "storms.0.for_s = 0: allowed: more than 0; correct the entry",
            ],
        ),
        ("[[power_cuts]]\nfor_s = 3", ["power_cuts.0.at_share: is missing; add it"]),
        (
            "[[platform_restarts]]\nat_share = 0.1\nfor_s = 3\nplatform = 2",
            [
                "platform_restarts.0.platform: unknown key; did you mean platforms? known here: at_share, for_s, "
                "platforms; correct the name or delete the line"
            ],
        ),
    ],
)
def test_a_faults_file_with_errors_is_refused_with_each_of_them(tmp_path: Path, text: str, said: list[str]) -> None:
    assert refused(tmp_path, text, faults=True) == said


def test_faults_are_a_preset_or_a_file(tmp_path: Path) -> None:
    assert load_faults("none") == Faults()
    path = write(tmp_path, "flapping_share = 0.2\n[[storms]]\nat_share = 0.5\nfor_s = 60\n")
    faults = load_faults(str(path))
    assert faults.flapping_share == 0.2
    assert faults.storms[0].platforms_share == 0.5
    with pytest.raises(ConfigError) as raised:
        load_faults("stroms")
    assert str(raised.value) == (
        "--faults 'stroms': neither a preset nor a file; allowed: none, offline, platform_restart, power_cut, storm, "
        "flapping, pictures, all, or a TOML file"
    )


def test_the_preset_of_all_faults_has_what_each_of_the_others_has() -> None:
    every = PRESETS["all"]
    assert every.offline_share == 0.05
    for name, preset in PRESETS.items():
        for field in Faults.model_fields:
            if getattr(preset, field) != getattr(Faults(), field):
                assert getattr(every, field) == getattr(preset, field), f"{name}: {field}"
