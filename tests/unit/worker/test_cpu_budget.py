"""A picture's budget of CPU time, and the process that spends it."""

import subprocess
import sys

import pytest

from engine.worker.cpu_budget import BUDGET_SPENT_SIGNAL, budget_s

_PROGRAM = """
import time
from engine.worker.cpu_budget import CpuBudget
budget = CpuBudget(0.2)
budget.begin()
{job}
print("ended by itself")
"""


def run(job: str) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-c", _PROGRAM.format(job=job)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_larger_pictures_get_more_up_to_the_limit() -> None:
    budgets = [budget_s(width, height, 1) for width, height in ((640, 480), (1920, 1080), (3840, 2160), (8192, 8192))]
    assert budgets == pytest.approx([0.41, 0.474, 0.697, 1.0], abs=0.001)
    assert budget_s(8192, 8192, 0.3) == 0.3


def test_a_job_that_computes_for_ever_ends_its_process() -> None:
    assert run("while True: pass").returncode == -BUDGET_SPENT_SIGNAL


def test_it_ends_inside_compiled_code_that_never_returns() -> None:
    assert run("import re; re.match('(a*)*b', 'a' * 64)").returncode == -BUDGET_SPENT_SIGNAL


def test_waiting_costs_nothing() -> None:
    """A loaded machine accuses no picture."""
    assert run("time.sleep(0.6)").stdout == "ended by itself\n"


def test_after_the_end_of_a_job_the_process_may_compute() -> None:
    job = "budget.end()\nbegan = time.process_time()\nwhile time.process_time() < began + 0.5: pass"
    assert run(job).stdout == "ended by itself\n"


def test_a_small_picture_gets_less_than_one_of_unknown_size() -> None:
    job = "budget.size_known(64, 64)\nbegan = time.process_time()\nwhile time.process_time() < began + 0.15: pass"
    assert run(job).returncode == -BUDGET_SPENT_SIGNAL
