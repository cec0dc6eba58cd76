"""Declares sections and their keys: default, meaning, unit, bounds, and whether a reload applies a key."""

from typing import Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of a configuration file. Unknown keys are refused; values never change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)
    all_file_only: ClassVar[bool] = False
    """Whether every key of the section is `file_only`."""


def key(default: Any, meaning: str, *, unit: str = "", hot: bool = True, file_only: bool = False, **bounds: Any) -> Any:
    """Declare one key.

    `meaning`: the help text, printed by `patrol config show` and in docs/config.md. `hot`: a reload applies a changed
    value while the engine runs; otherwise it needs a restart. `file_only`: the API cannot change it, because it leads
    to a file, a process, a listener or a secret. `bounds`: pydantic's (ge, le, gt, lt, min_length, max_length,
    pattern).
    """
    extra: Any = {"unit": unit, "hot": hot, "file_only": file_only}
    return Field(default, description=meaning, json_schema_extra=extra, **bounds)
