"""The command `patrol`. One module per group of commands; each parses its arguments, calls the engine, and prints."""

from engine.cli.main import app, main

__all__ = ["app", "main"]
