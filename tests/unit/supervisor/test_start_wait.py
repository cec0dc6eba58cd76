"""How long a start may last, and what compiling adds to that."""

from engine.clock import NS_PER_S
from engine.runtime.compile_stage import CompileStage
from engine.supervisor.liveness import Activity, Cause, Limits, Liveness
from engine.supervisor.start_wait import CompileNews, StartWait

HALF_S = NS_PER_S // 2
WAITS, COMPILES, DONE = CompileStage.WAITS, CompileStage.COMPILES, CompileStage.DONE


class Starting:
    """A process that starts, observed twice a second."""

    def __init__(self) -> None:
        self.now_ns = 7 * NS_PER_S
        self.liveness = Liveness(Limits(), self.now_ns)

    def goes_on(self, stage: CompileStage, activity: Activity, seconds: float) -> tuple[Cause | None, float]:
        """Let it go on; return why it was given up, and after how many seconds."""
        self.liveness.compiling(stage)
        for number in range(1, round(2 * seconds) + 1):
            self.now_ns += HALF_S
            if cause := self.liveness.judge(activity, 0, self.now_ns):
                return cause, number / 2
        return None, seconds


def test_a_process_that_compiles_has_a_quarter_of_an_hour() -> None:
    assert Starting().goes_on(COMPILES, Activity.BUSY, 2000) == (Cause.NOT_READY, 900.0)


def test_so_has_one_that_waits_for_another_to_compile_although_it_sleeps() -> None:
    assert Starting().goes_on(WAITS, Activity.IDLE, 2000) == (Cause.NOT_READY, 900.0)


def test_waiting_and_compiling_count_together() -> None:
    process = Starting()
    assert process.goes_on(WAITS, Activity.IDLE, 600) == (None, 600)
    assert process.goes_on(COMPILES, Activity.BUSY, 600) == (Cause.NOT_READY, 300.0)


def test_one_that_hangs_while_it_says_that_it_compiles_is_given_up_after_two_minutes() -> None:
    process = Starting()
    assert process.goes_on(COMPILES, Activity.BUSY, 200) == (None, 200)
    assert process.goes_on(COMPILES, Activity.IDLE, 600) == (Cause.NOT_READY, 120.0)


def test_one_that_hangs_and_says_nothing_is_given_up_after_two_minutes() -> None:
    assert Starting().goes_on(DONE, Activity.IDLE, 600) == (Cause.NOT_READY, 120.0)


def test_what_comes_after_compiling_has_its_own_time() -> None:
    process = Starting()
    assert process.goes_on(COMPILES, Activity.BUSY, 800) == (None, 800)
    assert process.goes_on(DONE, Activity.BUSY, 299) == (None, 299)


def test_it_counts_as_compiling_only_while_it_moves() -> None:
    process, seen = Starting(), []
    for stage, activity in ((WAITS, Activity.IDLE), (COMPILES, Activity.BUSY), (COMPILES, Activity.IDLE)):
        process.goes_on(stage, activity, 1)
        seen.append(process.liveness.compiles)
    process.liveness.compiling(WAITS)
    process.liveness.ready()
    assert [*seen, process.liveness.compiles] == [True, True, False, False]


def test_a_start_is_given_up_after_two_minutes_in_which_nothing_compiles() -> None:
    wait = StartWait(0)
    assert all(wait.turn(True, second * NS_PER_S) is None for second in range(1, 901))
    assert all(wait.turn(False, second * NS_PER_S) is None for second in range(901, 1021))
    assert "not ready after 120 s" in str(wait.turn(False, 1021 * NS_PER_S))


def test_a_start_that_compiles_for_longer_than_a_quarter_of_an_hour_blames_the_machine() -> None:
    wait = StartWait(0)
    assert all(wait.turn(True, second * NS_PER_S) is None for second in range(1, 901))
    said = str(wait.turn(True, 901 * NS_PER_S))
    assert "too slow or too busy" in said
    assert "15 minutes" in said


def test_a_suspend_of_the_machine_counts_as_a_second_of_the_start() -> None:
    wait = StartWait(0)
    assert wait.turn(False, 8 * 3600 * NS_PER_S) is None


def test_the_log_tells_after_ten_seconds_and_then_once_a_minute() -> None:
    news = CompileNews()
    told = {second: news.turn(True, second * NS_PER_S) for second in range(1, 90)}
    assert {second: ns for second, ns in told.items() if ns} == {11: 10 * NS_PER_S, 71: 70 * NS_PER_S}
    assert news.turn(False, 90 * NS_PER_S) == 0
    assert news.turn(True, 91 * NS_PER_S) == 0
