"""What a reload of the configuration changed, or would change. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One key that differs, passwords taken out. `hot`: taken while the engine runs; else it needs a restart."""

    key: str
    old: str
    new: str
    hot: bool


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """What a reload did or would do. `revision`: of the settings now in force. `applied`: whether anything changed.

    `warnings`: usable, but not what the operator will want (caps that cannot carry the periods, hours that never come,
    keys that wait for a restart).
    """

    revision: str
    changes: tuple[ConfigChange, ...] = ()
    warnings: tuple[str, ...] = ()
    applied: bool = False
