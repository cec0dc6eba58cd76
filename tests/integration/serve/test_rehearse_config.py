"""Rehearsals over gRPC, with a hub that has the result ready."""

from dataclasses import replace

import pytest

from engine.client import CallError
from engine.model.rehearsal import RehearsalUpdate
from tests.support.serve.configurations import REHEARSED
from tests.support.serve.served import RunningServer


def test_progress_and_result_arrive_as_the_hub_says_them(served: RunningServer) -> None:
    told = list(served.client.rehearse_config("", hours=5, seed=3))
    assert told == [RehearsalUpdate(0.5), RehearsalUpdate(1.0, replace(REHEARSED, hours=5.0, visits=3))]


def test_it_takes_a_day_unless_the_request_says_otherwise(served: RunningServer) -> None:
    result = list(served.client.rehearse_config(""))[-1].result
    assert result is not None
    assert result.hours == 24


def test_what_cannot_be_rehearsed_is_refused_with_every_reason(served: RunningServer) -> None:
    with pytest.raises(CallError) as caught:
        list(served.client.rehearse_config("bad"))
    assert (caught.value.status, caught.value.reason) == ("INVALID_ARGUMENT", "CONFIG_INVALID")
    assert [why for _, why in caught.value.violations] == ["request: first", "request: second"]
    with pytest.raises(CallError, match="hours"):
        list(served.client.rehearse_config("", hours=169))
