"""How one key is declared: default, bounds, unit, meaning, and whether a reload takes it while running."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class Section(BaseModel):
    """A table of the file. Unknown keys are refused; values never change after validation."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def key(default: Any, meaning: str, *, unit: str = "", hot: bool = True, **bounds: Any) -> Any:
    """One key. `bounds` are pydantic's (ge, le, gt, lt, min_length, max_length, pattern); `hot`: reload takes it."""
    return Field(default, description=meaning, json_schema_extra={"unit": unit, "hot": hot}, **bounds)
