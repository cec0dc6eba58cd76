"""Measurements of the engine; each prints one JSON object, and keeps one line a run with --record."""
