"""What a reload of the configuration changed, or would change. Pure."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ConfigChange:
    """One key whose value differs.

    `key`: with its section, like `scheduler.key_period_s`. `old`, `new`: the values as TOML, passwords masked. `hot`:
    a reload applies it while the engine runs; otherwise it needs a restart.
    """

    key: str
    old: str
    new: str
    hot: bool


@dataclass(frozen=True, slots=True)
class ConfigReport:
    """The result of a reload, or of a trial of one.

    `revision`: digest of the settings now in force. `changes`: keys that differ. `warnings`: sentences about settings
    that are valid but probably not what the operator wants (caps that cannot carry the periods, hours that never come,
    keys that wait for a restart). `applied`: whether anything was changed.
    """

    revision: str
    changes: tuple[ConfigChange, ...] = ()
    warnings: tuple[str, ...] = ()
    applied: bool = False
