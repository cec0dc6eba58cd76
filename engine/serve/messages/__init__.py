"""Conversion between the messages of patrol.v1 and the engine's nouns. Pure; server and client share it."""
