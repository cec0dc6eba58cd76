"""When a process counts as stuck, and when it only waits for the machine."""

from engine.clock import NS_PER_S
from engine.supervisor.liveness import HUB_LIMITS, Activity, Cause, Limits, Liveness

HALF_S = NS_PER_S // 2


class Process:
    """A process that is observed twice a second."""

    def __init__(self, limits: Limits | None = None, *, ready: bool = True) -> None:
        self.now_ns = 7 * NS_PER_S
        self.cpu_ns = NS_PER_S
        self.liveness = Liveness(limits or Limits(), self.now_ns)
        if ready:
            self.liveness.ready()

    def beat(self) -> None:
        self.now_ns += HALF_S
        assert self.liveness.moved(self.now_ns, self.now_ns)

    def silent(self, activity: Activity, seconds: float, cpu_share: float = 0.0) -> tuple[Cause | None, float]:
        """Let it be silent; return why it was given up, and after how many seconds."""
        begun_ns, beat_ns = self.now_ns, self.liveness._beat_ns
        while self.now_ns - begun_ns < seconds * NS_PER_S:
            self.now_ns += HALF_S
            self.cpu_ns += round(cpu_share * HALF_S)
            assert not self.liveness.moved(beat_ns, self.now_ns)
            cause = self.liveness.judge(activity, self.cpu_ns, self.now_ns)
            if cause is not None:
                return cause, (self.now_ns - begun_ns) / NS_PER_S
        return None, seconds


def test_a_process_whose_loop_moves_is_never_given_up() -> None:
    process = Process()
    for _ in range(100):
        process.beat()
        assert process.silent(Activity.IDLE, 1.0) == (None, 1.0)
        assert process.silent(Activity.BUSY, 3.0, cpu_share=1.0) == (None, 3.0)


def test_a_stopped_process_is_given_up_within_seconds() -> None:
    assert Process().silent(Activity.STOPPED, 60) == (Cause.STOPPED, 2.0)


def test_one_that_is_stopped_while_it_starts_is_given_up_too() -> None:
    assert Process(ready=False).silent(Activity.STOPPED, 60) == (Cause.STOPPED, 2.0)


def test_one_that_is_stopped_for_a_moment_goes_on() -> None:
    process = Process()
    assert process.silent(Activity.STOPPED, 1.5) == (None, 1.5)
    process.silent(Activity.BUSY, 0.5)
    assert process.silent(Activity.STOPPED, 1.5) == (None, 1.5)


def test_one_whose_threads_all_sleep_is_stuck_within_seconds() -> None:
    assert Process().silent(Activity.IDLE, 60) == (Cause.STUCK, 5.0)


def test_idle_time_counts_although_other_threads_run_now_and_then() -> None:
    process = Process()
    for _ in range(9):
        assert process.silent(Activity.IDLE, 0.5)[0] is None
        assert process.silent(Activity.BUSY, 0.5)[0] is None
    assert process.silent(Activity.IDLE, 0.5)[0] is Cause.STUCK


def test_one_that_spins_is_stuck_after_ten_seconds_of_processor_time() -> None:
    assert Process().silent(Activity.BUSY, 60, cpu_share=1.0) == (Cause.STUCK, 10.5)  # the first sample is the base


def test_on_a_loaded_machine_it_is_the_processor_time_that_counts() -> None:
    cause, after_s = Process().silent(Activity.BUSY, 55, cpu_share=0.1)
    assert (cause, after_s) == (None, 55)


def test_a_hub_may_compute_for_longer_than_the_others() -> None:
    assert Process(HUB_LIMITS).silent(Activity.BUSY, 15, cpu_share=1.0)[0] is None
    assert Process(HUB_LIMITS).silent(Activity.BUSY, 30, cpu_share=1.0)[0] is Cause.STUCK


def test_whatever_it_does_a_minute_without_a_turn_is_too_long() -> None:
    assert Process().silent(Activity.BUSY, 100) == (Cause.STUCK, 60.0)


def test_a_suspend_of_the_machine_counts_as_a_second() -> None:
    process = Process()
    process.beat()
    process.now_ns += 8 * 3600 * NS_PER_S
    assert process.liveness.judge(Activity.IDLE, process.cpu_ns, process.now_ns) is None
    assert process.silent(Activity.IDLE, 3.5)[0] is None
    assert process.liveness.silent_ns == round(4.5 * NS_PER_S)


def test_a_clock_that_goes_back_counts_as_nothing() -> None:
    process = Process()
    assert process.liveness.judge(Activity.IDLE, process.cpu_ns, process.now_ns - NS_PER_S) is None
    assert process.liveness.silent_ns == 0


def test_a_process_has_five_minutes_to_start_and_may_compute_all_the_while() -> None:
    process = Process(ready=False)
    assert process.silent(Activity.BUSY, 299, cpu_share=1.0) == (None, 299)
    assert process.silent(Activity.IDLE, 5) == (Cause.NOT_READY, 1.0)


def test_once_it_is_ready_the_time_of_the_start_is_forgotten() -> None:
    process = Process(ready=False)
    process.silent(Activity.BUSY, 100, cpu_share=1.0)
    process.liveness.ready()
    assert process.silent(Activity.IDLE, 4.5) == (None, 4.5)
