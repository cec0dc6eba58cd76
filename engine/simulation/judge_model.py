"""What the judge would say: N of M as announced by the engine's own rules, for the few cameras with a fault. Pure."""

from engine.config.judge import JudgeSettings
from engine.judge.confirmation import apply_outcome
from engine.judge.state import JudgeState, Outcome, pack_outcomes
from engine.model.verdict import FaultKind, State

_OK = Outcome(State.OK)
_FAULT = Outcome(State.FAULT, (FaultKind.BLURRED,))


class JudgeModel:
    """Keeps a memory only for cameras that are not plainly in order."""

    def __init__(self, settings: JudgeSettings) -> None:
        self._settings = settings
        in_order = (_OK,) * max(settings.confirm_m, settings.recover_n)
        self._in_order = JudgeState(announced=State.OK, packed_outcomes=pack_outcomes(in_order))
        self._histories: dict[int, JudgeState] = {}

    def remembers(self, camera: int) -> bool:
        """Whether the next verdict on it may change anything, even a good one."""
        return camera in self._histories

    def judge(self, camera: int, fault: bool, now_ns: int) -> tuple[State, State]:
        """What this look saw, and what the engine stands by."""
        history = self._histories.get(camera)
        if history is None:
            if not fault:
                return State.OK, State.OK
            history = self._in_order
        outcome = _FAULT if fault else _OK
        history = apply_outcome(history, outcome, now_ns, self._settings)
        recent = history.outcomes[-len(self._in_order.outcomes) :]
        if history.announced == State.OK and all(one.state == State.OK for one in recent):
            self._histories.pop(camera, None)
        else:
            self._histories[camera] = history
        return outcome.state, history.announced or State.UNKNOWN
