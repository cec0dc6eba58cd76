"""Measurements and verdicts as bytes, a few hundred each: how they are stored and kept in memory."""
