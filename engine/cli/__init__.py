"""The command `patrol`: one module a group of commands. Thin: each parses, calls, and shows."""

from engine.cli.main import app, main

__all__ = ["app", "main"]
