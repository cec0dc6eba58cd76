"""`patrol findings`: the ledger of a running engine, as a person and as a program reads it and works on it."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serve.served import RunningServer, county_cameras, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    """Three findings: two of a county, one of another."""
    with serving(tmp_path) as served:
        for camera in (*county_cameras(2), *county_cameras(1, "130203", "far")):
            served.hub.put(camera)
            served.hub.ledger.open(camera)
        yield served


def patrol(served: RunningServer, *words: str, code: int = 0) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-m", "engine.cli", "findings", *words, "--server", served.address]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == code, done.stderr
    return done


def test_the_list_has_what_is_open_newest_first_and_filters(served: RunningServer) -> None:
    lines = patrol(served, "list").stdout.splitlines()
    assert lines[0].split()[:3] == ["finding", "camera", "canteen"]
    assert [line.split()[:2] for line in lines[1:]] == [["3", "far0"], ["2", "c1"], ["1", "c0"]]
    served.client.findings.dismiss(2, "no fault")
    told = [json.loads(line) for line in patrol(served, "list", "--region", "1301", "--json").stdout.splitlines()]
    assert [(finding["name"], finding["state"], finding["level"], finding["causeKey"]) for finding in told] == [
        ("findings/1", "FINDING_STATE_OPEN", "FINDING_LEVEL_SCHOOL", "covered")
    ]
    assert len(patrol(served, "list", "--all", "--json").stdout.splitlines()) == 3
    assert len(patrol(served, "list", "--all", "--rows", "2", "--json").stdout.splitlines()) == 2
    (only,) = patrol(served, "list", "--state", "dismissed", "--json").stdout.splitlines()
    assert json.loads(only)["name"] == "findings/2"


def test_a_finding_is_shown_with_all_that_happened_to_it(served: RunningServer) -> None:
    served.client.findings.acknowledge(1, "马上去看")
    said = patrol(served, "show", "1").stdout
    assert "acknowledged" in said
    assert "马上去看" in said
    told = json.loads(patrol(served, "show", "1", "--json").stdout)
    assert (told["finding"]["camera"], told["finding"]["number"]) == ("cameras/c0", 2)
    assert [(event["step"], event["who"]) for event in told["events"]] == [
        ("FINDING_STEP_OPENED", "engine"),
        ("FINDING_STEP_ACKNOWLEDGED", "local"),
    ]


def test_it_is_acknowledged_and_claimed(served: RunningServer) -> None:
    assert patrol(served, "ack", "1").stdout == "findings/1: acknowledged (event 2)\n"
    told = json.loads(patrol(served, "claim", "1", "--why", "布已取下", "--json").stdout)
    assert (told["state"], told["number"]) == ("FINDING_STATE_RECTIFIED", 3)
    assert [event.why for event in served.client.findings.events(1)] == ["", "", "布已取下"]


@pytest.mark.parametrize(
    ("command", "state"), [("close", "closed"), ("dismiss", "dismissed"), ("supervise", "supervised")]
)
def test_a_decision_needs_a_reason(served: RunningServer, command: str, state: str) -> None:
    assert "--why" in patrol(served, command, "1", code=2).stderr
    assert patrol(served, command, "1", "--why", "到现场看过").stdout == f"findings/1: {state} (event 2)\n"


def test_who_acts_on_what_is_no_longer_so_is_refused_in_one_sentence(served: RunningServer) -> None:
    served.client.findings.acknowledge(1)
    assert "moved on" in patrol(served, "claim", "1", "--number", "1", code=2).stderr
    assert "99" in patrol(served, "show", "99", code=2).stderr
    assert "allowed: 500" in patrol(served, "ack", "1", "--why", "x" * 501, code=2).stderr
