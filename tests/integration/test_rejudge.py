"""`patrol rejudge`: other thresholds tried on the pictures that are kept, with nothing changed by it."""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from engine.batch.rejudge import Totals, label, parse_since, rejudge
from engine.clock import wall_ns
from engine.errors import ConfigError
from engine.judge.rules import judge_failure, judge_measurement
from engine.judge.state import JudgeState
from engine.model.camera import Camera
from engine.model.measurement import Measurement
from engine.model.packed.measurement import pack_measurement, unpack_measurement
from engine.model.visit import FailureReason, VisitFailure
from engine.storage.db.store import Store, VisitRecord
from tests.support.command_line import patrol
from tests.support.judge_states import ACUTANCE, SCENE, SETTINGS, STRUCTURE, a_measurement, at_minute

NOW_NS = wall_ns()
SCENES: dict[str, dict[str, object]] = {
    "ok": {},
    "soft": {"acutance": ACUTANCE * 0.78},
    "blurred": {"acutance": ACUTANCE * 0.5},
    "dark": {"luma_mean": 30.0, "cells": 0.3 * SCENE, "structure": STRUCTURE * 0.1},
    "covered": {"cells": np.full(SCENE.shape, 90.0), "structure": STRUCTURE / 500, "sharpness": None},
    "frozen": {"still": True},
    "greasing": {"acutance": ACUTANCE * 0.9},
    "damaged": {"damage": ("truncated",)},
}


def visits(name: str) -> Iterator[Measurement]:
    """Good visits, then what the camera shows, up to now."""
    for at in range(12):
        shown = {} if at < 8 else SCENES[name]
        measurement = at_minute(a_measurement(60 * at, **shown), 60 * at)  # type: ignore[arg-type]
        yield replace(measurement, camera_id=name, arrival_wall_ns=NOW_NS - (11 - at) * 3_600 * 10**9)


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A database in which each camera of SCENES was visited."""
    url = f"sqlite:///{tmp_path}/patrol.db"
    store = Store.open(url)
    store.registry.upsert([Camera(name, "rtsp://h/1", region="130102") for name in [*SCENES, "gone"]])
    for name in SCENES:
        history = JudgeState()
        for visit in visits(name):
            verdict, history = judge_measurement(visit, history, SETTINGS)
            store.write([VisitRecord(verdict, history.to_bytes(), False, pack_measurement(visit), True)])
    (seen, *_) = visits("ok")
    seen = replace(seen, camera_id="gone")
    verdict, history = judge_measurement(seen, JudgeState(), SETTINGS)
    kept = VisitRecord(verdict, history.to_bytes(), False, pack_measurement(seen), True)
    failure = VisitFailure("gone", 99, FailureReason.REFUSED, "")
    offline, history = judge_failure(failure, NOW_NS, history, SETTINGS)
    store.write([kept, VisitRecord(offline, history.to_bytes())])
    store.close()
    return url


def test_a_measurement_is_kept_whole() -> None:
    whole = a_measurement(7, acutance=np.where(np.arange(16) < 3, np.nan, 0.5) * np.ones((2, 9, 16)))
    again = unpack_measurement(pack_measurement(whole))
    assert replace(again, tiles=None) == replace(whole, tiles=None)
    for name in ("luma", "structure", "acutance", "u", "v"):
        np.testing.assert_array_equal(getattr(again.tiles, name), getattr(whole.tiles, name))


def test_the_same_thresholds_say_the_same(url: str) -> None:
    store, totals = Store.open(url), Totals()
    said = {
        outcome.was.camera_id: (label(outcome.was), label(outcome.would))
        for outcome in rejudge(store.measured(0), SETTINGS, totals)
    }
    store.close()
    assert {name: was for name, (was, _) in said.items()} == {name: would for name, (_, would) in said.items()}
    assert said["blurred"] == ("blurred", "blurred")
    assert said["frozen"] == ("frozen", "frozen")
    assert said["damaged"] == ("unknown (damaged)", "unknown (damaged)")
    assert (totals.judged, totals.changed, totals.unreadable) == (len(SCENES), 0, 0)


def test_other_thresholds_change_those_that_they_concern(url: str) -> None:
    store, totals = Store.open(url), Totals()
    lenient = SETTINGS.model_copy(update={"sharpness_ratio_min": 0.6, "dark_mean_max": 20.0, "dark_fall_max": 0.0})
    changed = {
        outcome.was.camera_id: outcome for outcome in rejudge(store.measured(0), lenient, totals) if outcome.changed
    }
    store.close()
    assert {"soft", "dark"} <= set(changed)
    assert not set(changed) & {"ok", "blurred", "covered", "frozen", "damaged"}
    assert changed["soft"].json()["thresholds"]["sharpness_ratio_min"] == [0.82, 0.6]
    assert totals.changed == len(changed)


def test_only_pictures_of_the_last_visit_count_and_only_recent_ones(url: str) -> None:
    store = Store.open(url)
    assert "gone" not in {measurement.verdict.camera_id for measurement in store.measured(0)}
    assert list(store.measured(NOW_NS + 1)) == []
    assert len(list(store.measured(0, "1301"))) == len(SCENES)
    assert list(store.measured(0, "1302")) == []
    store.registry.remove(["ok"])
    assert "ok" not in {measurement.verdict.camera_id for measurement in store.measured(0)}
    store.close()


def test_what_cannot_be_read_is_counted_and_left_out() -> None:
    verdict, history = judge_measurement(a_measurement(), JudgeState(), SETTINGS)
    totals = Totals()
    assert list(rejudge([VisitRecord(verdict, history.to_bytes(), False, b"\xff")], SETTINGS, totals)) == []
    assert (totals.judged, totals.unreadable) == (0, 1)


@pytest.mark.parametrize(("text", "before_s"), [("90m", 5400), ("24h", 86_400), ("7d", 604_800), ("10s", 10)])
def test_since_is_a_number_and_a_unit(text: str, before_s: int) -> None:
    assert parse_since(text, 10**18) == 10**18 - before_s * 10**9


@pytest.mark.parametrize("text", ["", "h", "24", "1.5h", "-1h", "24 h", "1w"])
def test_any_other_since_is_refused(text: str) -> None:
    with pytest.raises(ConfigError, match="like 24h"):
        parse_since(text, 10**18)


def test_the_command_shows_what_would_change_and_ends_as_diff_does(url: str, tmp_path: Path) -> None:
    config = tmp_path / "patrol.toml"
    config.write_text(f'[record]\nurl = "{url}"\n')
    done = patrol("rejudge", "--config", str(config))
    assert (done.returncode, done.stdout.strip()) == (0, f"{len(SCENES)} pictures judged again, 0 would change")
    config.write_text(f'[record]\nurl = "{url}"\n[judge]\nsharpness_ratio_min = 0.6\n')
    done = patrol("rejudge", "--since", "2h", "--config", str(config))
    assert done.returncode == 1
    assert "soft" in done.stdout
    first = json.loads(patrol("rejudge", "--json", "--config", str(config)).stdout.splitlines()[0])
    assert first["camera"] == "cameras/soft"
    assert (first["was"]["state"], first["would"]["state"]) == ("VERDICT_STATE_FAULT", "VERDICT_STATE_OK")
    assert first["was"]["kinds"] == ["FAULT_KIND_BLURRED"]
    done = patrol("rejudge", "--since", "soon", "--config", str(config))
    assert done.returncode == 2
    assert "--since = 'soon'" in done.stderr
