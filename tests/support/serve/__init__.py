"""Helpers that serve the API and call every method of it."""
