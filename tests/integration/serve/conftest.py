"""The gRPC server with a small hub of the test behind it, and a county of cameras in that hub."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.serve.served import VERDICT, RunningServer, county_cameras, serving


@pytest.fixture
def served(tmp_path: Path) -> Iterator[RunningServer]:
    with serving(tmp_path) as served:
        served.hub.put(*county_cameras())
        served.hub.judge("c1", VERDICT.visit_id)
        yield served
