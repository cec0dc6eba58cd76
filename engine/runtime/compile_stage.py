"""What a process that starts says of its compiled code: it waits for it, it compiles or loads it, or it has it."""

from collections.abc import Callable
from enum import StrEnum

COMPILE_S_MAX = 900.0
"""The longest that anybody waits for compiled code. A free core needs half a minute, a tenth of a core ten times as
long."""
SILENT_S = 20.0
"""A command that waits for compiled code for longer than this says so."""
COMPILES = (
    f"waiting until the engine's code is compiled for this machine, at most {COMPILE_S_MAX / 60:.0f} minutes: the "
    "first start and the first of a new version do that; a free core needs half a minute"
)


class CompileStage(StrEnum):
    """WAITS: for another process that compiles. COMPILES, or loads what was compiled before. DONE: it is loaded."""

    WAITS = "waits"
    COMPILES = "compiles"
    DONE = "done"


OnStage = Callable[[CompileStage], None]
"""Is called with each stage as it begins."""


def tell_nobody(stage: CompileStage) -> None:
    """Ignore a stage: nobody waits for this process."""
