"""Builds the hub of its parts."""
