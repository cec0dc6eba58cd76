"""The configuration as it is told to callers: what is in force, and what a reload changed, or would change. Pure."""

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


@dataclass(frozen=True, slots=True)
class ConfigSetting:
    """One key in force. `key`: with its section. `value`, `default`: as TOML, passwords masked. `allowed`: bounds or
    choices in words. `hot`: a reload applies it. `file_only`: the API cannot change it."""

    key: str
    value: str
    default: str
    meaning: str
    unit: str
    allowed: str
    hot: bool
    file_only: bool


@dataclass(frozen=True, slots=True)
class EngineConfig:
    """The configuration in force.

    `revision`: digest of the settings. `toml`: the keys that the API can change and that differ from their defaults;
    applied as it is, it changes nothing. `settings`: every key.
    """

    revision: str
    toml: str
    settings: tuple[ConfigSetting, ...]
