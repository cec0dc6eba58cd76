"""What the scheduler tells goes over gRPC and comes back the same."""

from collections.abc import Callable

import pytest

from engine.config.schema import SchedulerSettings
from engine.serve.messages.schedule import plan_message, plan_of, schedule_message, schedule_of
from patrol.v1 import scheduler_pb2
from tests.support.scheduler.schedules import MONDAY_NOON_NS, VirtualPatrol, calm, camera, overloaded


@pytest.mark.parametrize("patrol", [calm, overloaded])
def test_a_status_comes_back_the_same(patrol: Callable[[], VirtualPatrol]) -> None:
    status = patrol().status
    message = scheduler_pb2.SchedulerStatus.FromString(schedule_message(status).SerializeToString())
    assert schedule_of(message) == status


def test_a_plan_comes_back_the_same() -> None:
    kitchens = [camera(0, hours="mon-fri 05:30-11:00"), camera(1)]
    patrol = VirtualPatrol(SchedulerSettings(), kitchens, wall_offset_ns=MONDAY_NOON_NS)
    for _ in range(2):
        for kitchen in kitchens:
            plan = patrol.plan(kitchen.camera_id)
            assert plan_of(scheduler_pb2.CameraPlan.FromString(plan_message(plan).SerializeToString())) == plan
        patrol.run(600)
