"""Typed, bounded, documented settings; load, describe, diff."""

from engine.config.load import load, loads
from engine.config.schema import Settings

__all__ = ["Settings", "load", "loads"]
