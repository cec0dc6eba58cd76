"""The patrol engine: visits every kitchen camera of a province and says what it saw."""

__version__ = "0.1.0"
