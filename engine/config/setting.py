"""Declares sections and their keys: default, meaning, unit, bounds, and whether a reload applies a key."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of a configuration file. Unknown keys are refused; values never change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def key(default: Any, meaning: str, *, unit: str = "", hot: bool = True, **bounds: Any) -> Any:
    """Declare one key.

    `meaning`: the help text, printed by `patrol config show` and in docs/config.md. `hot`: a reload applies a changed
    value while the engine runs; otherwise it needs a restart. `bounds`: pydantic's (ge, le, gt, lt, min_length,
    max_length, pattern).
    """
    return Field(default, description=meaning, json_schema_extra={"unit": unit, "hot": hot}, **bounds)
