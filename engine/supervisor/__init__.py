"""Starts, watches and replaces the engine's processes."""
