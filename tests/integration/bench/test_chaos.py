"""A short run of chaos and of the soak: what must hold holds, and the plot is written. Times are for the quiet run."""

from pathlib import Path

import pytest

from bench.chaos.plan import plan
from bench.chaos.run import run

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


def lasting(broken: list[str]) -> list[str]:
    """Return what did not hold, without recoveries that took too long: other tests run beside this one."""
    return [sentence for sentence in broken if "whole again after" not in sentence]


def test_a_minute_and_a_half_of_faults_loses_nothing(tmp_path: Path) -> None:
    result = run(tmp_path, 1.5, 3, plan(90.0, 3, 8.0))
    assert lasting(result["broken"]) == []
    assert result["faults"] >= 5
    assert result["watch_received"] > 0
    assert (tmp_path / "chaos.png").stat().st_size > 10_000


def test_a_soak_pushes_the_share_of_the_load_that_was_asked(tmp_path: Path) -> None:
    result = run(tmp_path, 0.7, 3, (), 0.5)
    assert lasting(result["broken"]) == []
    assert 0.2 < result["checks_per_s"] / result["capacity_per_s"] < 0.8
