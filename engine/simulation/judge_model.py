"""Models the judge: announces by the engine's own N-of-M rules, with a history only for the few cameras with a fault.
Pure.
"""

from engine.config.judge import JudgeSettings
from engine.judge.confirmation import apply_outcome
from engine.judge.state import JudgeState, Outcome, pack_outcomes
from engine.model.verdict import FaultKind, State

_OK = Outcome(State.OK)
_FAULT = Outcome(State.FAULT, (FaultKind.BLURRED,))


class JudgeModel:
    """The judge states of cameras with a recent or announced fault; all others are announced ok."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        good_outcomes = (_OK,) * max(settings.confirm_m, settings.recover_n)
        self._good_state = JudgeState(announced=State.OK, packed_outcomes=pack_outcomes(good_outcomes))
        self._states: dict[int, JudgeState] = {}

    def has_history(self, camera: int) -> bool:
        """Return whether the camera's next verdict may change anything, even a good one."""
        return camera in self._states

    def judge(self, camera: int, fault: bool, now_ns: int) -> tuple[State, State]:
        """Return the state of this visit and the announced state."""
        state = self._states.get(camera)
        if state is None:
            if not fault:
                return State.OK, State.OK
            state = self._good_state
        outcome = _FAULT if fault else _OK
        state = apply_outcome(state, outcome, now_ns, self._settings)
        recent = state.outcomes[-len(self._good_state.outcomes) :]
        if state.announced == State.OK and all(past.state == State.OK for past in recent):
            self._states.pop(camera, None)
        else:
            self._states[camera] = state
        return outcome.state, state.announced or State.UNKNOWN
