"""The stages of a keyframe in the hub: in order, each keyframe ends once, and nothing is serialised twice."""

import contextlib
from collections.abc import Iterator
from dataclasses import replace
from multiprocessing import connection
from pathlib import Path
from typing import NamedTuple

import pytest

from engine.clock import monotonic_ns, wall_ns
from engine.config.calendar import Calendar
from engine.config.intake import IntakeSettings
from engine.config.schema import RecordSettings, Settings
from engine.config.serve import ServeSettings
from engine.hub.composition.hub import Hub, compose
from engine.model.camera import Camera
from engine.model.keyframe import Codec, Keyframe
from engine.model.packed.measurement import pack_measurement
from engine.model.verdict import Verdict
from engine.model.visit import FailureReason, FeedKind, VisitFailure
from engine.runtime.control import Control
from engine.storage.db.store import Store
from engine.worker.wire import Failed, Result
from tests.support.judge_states import a_measurement


class Running(NamedTuple):
    hub: Hub
    store: Store


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Running]:
    """A composed hub whose loop does not run: the test is the hub's thread."""
    url = f"sqlite:///{tmp_path}/patrol.db"
    store = Store.open(url)
    store.registry.upsert([Camera("a", "rtsp://127.0.0.1/a"), Camera("b", "rtsp://127.0.0.1/b")])
    settings = Settings(
        record=RecordSettings(
            url=url,
            evidence_dir=str(tmp_path / "evidence"),
            quarantine_dir=str(tmp_path / "quarantine"),
            measurements=True,
        ),
        intake=IntakeSettings(listen=""),
        serve=ServeSettings(grpc_listen="127.0.0.1:0", metrics_listen=""),
    )
    ours, theirs = connection.Pipe()
    with contextlib.ExitStack() as stack:
        hub = compose(settings, Calendar(), tmp_path, Control(theirs), lambda: None, stack)
        hub.state.workers.worker_ready("w", 8)
        yield Running(hub, store)
    ours.close()
    store.close()


def arrive(hub: Hub, camera_id: str, visit_id: int) -> int:
    """Bring a keyframe into the hands of the worker; returns the id of its job."""
    keyframe = Keyframe(camera_id, visit_id, Codec.H264, b"payload", wall_ns(), None, FeedKind.GATEWAY)
    hub.state.pipeline.arrived(keyframe, monotonic_ns())
    jobs, dropped = hub.state.workers.intake.hand_out(monotonic_ns())
    assert dropped == []
    return jobs[-1].job_id


def measured(camera_id: str, visit_id: int, job_id: int) -> Result:
    measurement = replace(a_measurement(visit_id), camera_id=camera_id, visit_id=visit_id)
    return Result(job_id, measurement, pack_measurement(measurement))


def verdicts(running: Running) -> list[Verdict]:
    assert running.hub.writer.flush(10)
    return [logged.verdict for logged in running.store.history.after(0, 100)]


def test_a_measurement_is_judged_and_its_bytes_are_stored_as_the_worker_sent_them(running: Running) -> None:
    hub = running.hub
    result = measured("a", 1, arrive(hub, "a", 1))
    hub.state.pipeline.measured("w", result)
    (verdict,) = verdicts(running)
    assert verdict.camera_id == "a"
    assert [record.measurement for record in running.store.measured(0)] == [result.packed]
    assert hub.state.pipeline.checks_total == 1


def test_a_measurement_waits_for_others_while_a_worker_holds_a_keyframe(running: Running) -> None:
    hub = running.hub
    first, second = arrive(hub, "a", 1), arrive(hub, "b", 2)
    hub.state.pipeline.measured("w", measured("a", 1, first))
    assert hub.state.pipeline.checks_total == 0
    assert hub.state.pipeline.deadline_ns is not None
    hub.state.pipeline.measured("w", measured("b", 2, second))
    assert hub.state.pipeline.checks_total == 2
    assert [verdict.camera_id for verdict in verdicts(running)] == ["a", "b"]


@pytest.mark.parametrize("end", ["failed", "undecoded"])
def test_a_cameras_later_visit_is_judged_after_its_measurement_that_waits(running: Running, end: str) -> None:
    hub = running.hub
    first, held = arrive(hub, "a", 1), arrive(hub, "b", 2)
    later = arrive(hub, "a", 3) if end == "undecoded" else 0
    hub.state.pipeline.measured("w", measured("a", 1, first))
    if end == "failed":
        hub.state.pipeline.visit_failed(VisitFailure("a", 3, FailureReason.REFUSED, "nothing listens"))
    else:
        hub.state.pipeline.measured("w", Result(later, Failed("damaged", "a slice is missing")))
    assert [verdict.visit_id for verdict in verdicts(running)] == [1, 3]
    hub.state.pipeline.measured("w", measured("b", 2, held))
    assert len(verdicts(running)) == 3


def test_a_result_of_a_job_that_was_given_up_is_ignored(running: Running) -> None:
    hub = running.hub
    job_id = arrive(hub, "a", 1)
    hub.state.pipeline.measured("other", measured("a", 1, job_id))
    assert hub.state.pipeline.checks_total == 0
    hub.state.pipeline.measured("w", measured("a", 1, job_id))
    assert hub.state.pipeline.checks_total == 1


def test_at_the_end_what_was_measured_is_judged_and_the_rest_is_accounted_for(running: Running) -> None:
    hub = running.hub
    first = arrive(hub, "a", 1)
    arrive(hub, "b", 2)
    hub.state.pipeline.measured("w", measured("a", 1, first))
    hub.state.pipeline.shut_down()
    assert [verdict.visit_id for verdict in verdicts(running)] == [1]
