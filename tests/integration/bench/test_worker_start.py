"""The CPU time of a worker's start is measured on a real worker."""

import time

import pytest

from bench.worker_start import start_cpu_s


@pytest.mark.timeout(400)
def test_a_start_uses_some_processor_time_and_no_more_than_passes() -> None:
    start_cpu_s(1)  # compiles what is missing
    began_s = time.monotonic()
    used_s = start_cpu_s(1)
    assert 0.1 < used_s < time.monotonic() - began_s + 1
