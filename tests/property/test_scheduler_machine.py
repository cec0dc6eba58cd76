"""Any order of events, at any times: the scheduler's books balance after each, and a replay gives the same actions."""

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from engine.config.calendar import Calendar
from engine.config.schema import SchedulerSettings
from engine.model.camera import KeyPoint
from engine.model.schedule import Pause, PauseKind, PauseScope
from engine.model.verdict import State
from engine.model.visit import FailureReason
from engine.scheduler.core import Scheduler
from engine.scheduler.events import (
    Action,
    CameraPlan,
    CamerasRemoved,
    CamerasUpserted,
    CapacityChanged,
    CheckNow,
    CheckNowAnswered,
    Event,
    HostLimitsChanged,
    Judged,
    PatrolPaused,
    PatrolResumed,
    PauseEnded,
    PresumedOffline,
    PushArrived,
    SettingsChanged,
    StartVisit,
    Tick,
    VisitEnded,
    VisitExpired,
    WallClock,
)
from engine.scheduler.invariants import check_invariants
from engine.scheduler.status import camera_plan_report, scheduler_status
from tests.support.scheduler.scheduling import SECOND, wall_ns

NOON_NS = wall_ns("2026-03-02T12:00")
IDS = st.sampled_from([f"c{n}" for n in range(12)])
HOLIDAY = Calendar.model_validate({"holidays": [{"first": "2026-03-02", "last": "2026-03-02"}]})
PLANS = st.builds(
    CameraPlan,
    camera_id=IDS,
    uplink=st.sampled_from(["", "u1", "u2", "u3"]),
    host=st.sampled_from(["", "h1", "h2"]),
    county=st.sampled_from(["130101", "130102"]),
    site_id=st.sampled_from(["", "s1"]),
    hours=st.sampled_from(["", "11:00-12:05", "12:01-12:02", "mon 22:00-02:00"]),
    key_point=st.sampled_from([KeyPoint.COOKING, KeyPoint.STORAGE]),
    required=st.booleans(),
    enabled=st.sampled_from([True, True, True, False]),
    push=st.sampled_from([False, False, False, True]),
)
SETTINGS = st.builds(
    SchedulerSettings,
    key_period_s=st.sampled_from([1, 20, 90]),
    ordinary_period_s=st.sampled_from([30, 200]),
    suspicious_period_s=st.sampled_from([10, 50]),
    offhours_period_s=st.sampled_from([0, 300]),
    confirm_looks_max=st.integers(0, 3),
    jitter=st.sampled_from([0, 0.1, 0.5]),
    visits_max=st.sampled_from([1, 2, 50]),
    visits_per_uplink_max=st.integers(1, 3),
    visits_per_host_max=st.integers(1, 4),
    host_visits_max=st.sampled_from([{}, {"h1": 1}]),
    starts_per_s_max=st.sampled_from([0.1, 1, 400]),
    host_starts_per_s_max=st.sampled_from([0.05, 1, 50]),
    order_timeout_s=st.sampled_from([1, 20, 60]),
    backoff_max_s=st.sampled_from([1800, 40]),
    outage_cameras_min=st.integers(2, 4),
    outage_probe_s=st.sampled_from([1, 15]),
    stretch_max=st.sampled_from([1, 3, 8]),
    hours=st.sampled_from(["", "11:00-12:10"]),
)


SCOPES = st.one_of(
    st.builds(PauseScope, st.just(PauseKind.REGION), st.sampled_from(["", "13", "130101", "99"])),
    st.builds(PauseScope, st.just(PauseKind.UPLINK), st.sampled_from(["u1", "u2"])),
    st.builds(PauseScope, st.just(PauseKind.HOST), st.sampled_from(["h1", "h2"])),
    st.builds(PauseScope, st.just(PauseKind.CAMERA), IDS),
)


class SchedulerMachine(RuleBasedStateMachine):
    """Feeds one scheduler; keeps what an outsider knows, and all it was told."""

    def __init__(self) -> None:
        super().__init__()
        self.settings = SchedulerSettings(
            key_period_s=20, ordinary_period_s=60, visits_max=4, outage_cameras_min=2, starts_per_s_max=50
        )
        self.scheduler = Scheduler(self.settings, wall_offset_ns=NOON_NS)
        self.now_ns = 1
        self.flights: dict[int, str] = {}
        self.ended: set[int] = set()
        self.log: list[tuple[int, Event, list[Action]]] = []

    def handle(self, event: Event) -> list[Action]:
        actions = self.scheduler.handle(event, self.now_ns)
        self.log.append((self.now_ns, event, actions))
        for action in actions:
            if isinstance(action, StartVisit):
                assert action.visit_id not in self.flights
                assert action.visit_id not in self.ended
                assert action.lag_ns >= 0
                self.flights[action.visit_id] = action.camera_id
            elif isinstance(action, VisitExpired):
                assert self.flights.pop(action.visit_id) == action.camera_id
                self.ended.add(action.visit_id)
            elif isinstance(action, PresumedOffline):
                assert action.camera_id not in self.flights.values()
        return actions

    @rule(plans=st.lists(PLANS, min_size=1, max_size=8))
    def put(self, plans: list[CameraPlan]) -> None:
        self.handle(CamerasUpserted(plans))
        known = {plan.camera_id: plan for plan in plans}
        for camera_id, plan in known.items():
            assert (camera_plan_report(self.scheduler, camera_id, self.now_ns).kind == "push") == plan.push

    @rule(camera_ids=st.lists(IDS, max_size=4))
    def remove(self, camera_ids: list[str]) -> None:
        self.handle(CamerasRemoved(camera_ids))

    @precondition(lambda self: self.flights)
    @rule(data=st.data(), failure=st.sampled_from([None, None, None, *FailureReason]))
    def end(self, data: st.DataObject, failure: FailureReason | None) -> None:
        visit_id = data.draw(st.sampled_from(sorted(self.flights)))
        self.flights.pop(visit_id)
        self.ended.add(visit_id)
        self.handle(VisitEnded(visit_id, failure))

    @precondition(lambda self: self.ended)
    @rule(data=st.data())
    def end_twice(self, data: st.DataObject) -> None:
        before = scheduler_status(self.scheduler, self.now_ns).ended_total
        self.handle(VisitEnded(data.draw(st.sampled_from(sorted(self.ended))), None))
        assert scheduler_status(self.scheduler, self.now_ns).ended_total == before

    @rule(camera_id=IDS, state=st.sampled_from(State), announced=st.sampled_from(State))
    def judge(self, camera_id: str, state: State, announced: State) -> None:
        self.handle(Judged(camera_id, state, announced))

    @rule(camera_id=IDS)
    def arrive(self, camera_id: str) -> None:
        self.handle(PushArrived(camera_id))

    @rule(camera_ids=st.lists(IDS, max_size=4))
    def check_now(self, camera_ids: list[str]) -> None:
        (report,) = [
            action.report for action in self.handle(CheckNow(camera_ids)) if isinstance(action, CheckNowAnswered)
        ]
        visited = [*report.accepted, *report.in_flight]
        heard = [*visited, *report.unknown_ids, *report.not_visited_ids, *report.paused_ids]
        assert sorted(heard) == sorted(set(camera_ids))

    @rule(scope=SCOPES, lasts_s=st.sampled_from([0, 0, 5, 300]))
    def pause(self, scope: PauseScope, lasts_s: int) -> None:
        now_wall_ns = self.now_ns + NOON_NS
        until_ns = now_wall_ns + lasts_s * SECOND if lasts_s else 0
        self.handle(PatrolPaused(Pause(scope, "works", "ops", now_wall_ns, until_ns)))

    @rule(scope=SCOPES)
    def resume(self, scope: PauseScope) -> None:
        held = {pause.pause.scope for pause in scheduler_status(self.scheduler, self.now_ns).pauses}
        ended = [action.pause.scope for action in self.handle(PatrolResumed(scope)) if isinstance(action, PauseEnded)]
        assert (scope in ended) == (scope in held)

    @rule(visits_max=st.sampled_from([0, 1, 3, 1000]))
    def change_capacity(self, visits_max: int) -> None:
        self.handle(CapacityChanged(visits_max))

    @rule(limits=st.dictionaries(st.sampled_from(["h1", "h2", "h9"]), st.integers(0, 3)))
    def limit_hosts(self, limits: dict[str, int]) -> None:
        in_flight = {host.name: host.in_flight for host in self.scheduler.dispatch.hosts.by_index if host.references}
        self.handle(HostLimitsChanged(limits))
        for name, limit in limits.items():
            host = self.scheduler.dispatch.hosts.find(name)
            assert host is None or host.in_flight <= max(limit, in_flight[name])

    @rule(changed=SETTINGS, calendar=st.sampled_from([Calendar(), HOLIDAY, Calendar(sites={"s1": "12:00-12:01"})]))
    def change_settings(self, changed: SchedulerSettings, calendar: Calendar) -> None:
        self.handle(SettingsChanged(changed, calendar))

    @rule(hours=st.integers(-30, 30))
    def jump_clock(self, hours: int) -> None:
        self.handle(WallClock(NOON_NS + hours * 3600 * SECOND))

    @rule(wait_s=st.sampled_from([0.0, 0.3, 5.0, 70.0, 4000.0]))
    def pass_time(self, wait_s: float) -> None:
        until_ns = self.now_ns + round(wait_s * SECOND)
        for _ in range(300):
            wakeup_ns = self.scheduler.next_wakeup_ns()
            if wakeup_ns is None or wakeup_ns > until_ns:
                break
            self.now_ns = max(self.now_ns, wakeup_ns)
            self.handle(Tick())
            check_invariants(self.scheduler, self.now_ns)
        else:
            return  # a busy while: the rest of it comes with the next rule
        self.now_ns = until_ns

    @invariant()
    def books_balance(self) -> None:
        self.handle(Tick())  # somebody looks at the clock
        check_invariants(self.scheduler, self.now_ns)
        status = scheduler_status(self.scheduler, self.now_ns)
        assert status.in_flight == len(self.flights)
        assert status.started_total == len(self.flights) + len(self.ended)

    def teardown(self) -> None:
        again = Scheduler(self.settings, wall_offset_ns=NOON_NS)
        for now_ns, event, actions in self.log:
            assert again.handle(event, now_ns) == actions


SchedulerMachine.TestCase.settings = settings(
    max_examples=60,
    stateful_step_count=40,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
test_the_books_balance_whatever_happens = SchedulerMachine.TestCase
