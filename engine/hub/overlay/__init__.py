"""Readings of clock and name in the hub: who is read when, and what becomes of it."""
