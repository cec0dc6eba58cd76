"""The checkers are worth something: each rule that is broken on purpose is noticed, and the core as it is passes."""

import pytest

from tests.planted_bugs import BUGS, Bug, hunt
from tests.support.scheduler.worlds import WORLDS

pytestmark = pytest.mark.long


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.name)
def test_a_checker_notices_that(bug: Bug) -> None:
    with bug.plant():
        assert hunt(bug.worlds) is not None
    assert set(bug.worlds) <= {plan.name for plan in WORLDS}
