"""Typed, bounded and documented settings: loads, checks, describes and compares them."""

from engine.config.load import load, loads
from engine.config.schema import Settings

__all__ = ["Settings", "load", "loads"]
