"""Calls that a front passes on."""
