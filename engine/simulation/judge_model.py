"""Models the judge: announces by the engine's own N-of-M rules and its rules for streams, with a history only for the
few cameras with a fault. Pure.
"""

from typing import NamedTuple

from engine.config.judge import JudgeSettings
from engine.judge.confirmation import apply_outcome
from engine.judge.state import JudgeState, Outcome, pack_outcomes
from engine.judge.streams import judge_on_stream
from engine.model.camera import CameraStream
from engine.model.verdict import FaultKind, State, Verdict

_OK = Outcome(State.OK)
_FAULT = Outcome(State.FAULT, (FaultKind.BLURRED,))


class Concluded(NamedTuple):
    """What the scheduler is told: the state of this visit, the announced state, and the wish for the main stream."""

    state: State
    announced: State
    main_next: bool = False
    main_soon: bool = False


class JudgeModel:
    """The judge states of cameras with a recent or announced fault; all others are announced ok. The baselines of both
    streams are taken as learned."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        good_outcomes = (_OK,) * max(settings.confirm_m, settings.recover_n)
        self._good_state = JudgeState(announced=State.OK, packed_outcomes=pack_outcomes(good_outcomes))
        self._states: dict[int, JudgeState] = {}

    def has_history(self, camera: int) -> bool:
        """Return whether the camera's next verdict may change anything, even a good one."""
        return camera in self._states

    def judge(self, camera: int, fault: bool, now_ns: int, stream: CameraStream = CameraStream.MAIN) -> Concluded:
        """Return what a visit concludes."""
        state = self._states.get(camera)
        if state is None:
            if not fault:
                return Concluded(State.OK, State.OK)
            state = self._good_state
        outcome = _FAULT if fault else _OK

        def rule(before: JudgeState) -> tuple[Verdict, JudgeState]:
            verdict = Verdict("", 0, now_ns, outcome.state, outcome.kinds)
            return verdict, apply_outcome(before, outcome, now_ns, self._settings)

        _, state = judge_on_stream(stream, rule, state, self._settings)
        recent = state.outcomes[-len(self._good_state.outcomes) :]
        if state.announced == State.OK and not state.main_wanted and all(past.state == State.OK for past in recent):
            self._states.pop(camera, None)
        else:
            self._states[camera] = state
        main_soon = state.main_wanted > 0
        announced = state.announced or State.UNKNOWN
        return Concluded(outcome.state, announced, main_soon or announced is not State.OK, main_soon)
