"""Helpers that run schedulers in virtual time and audit them from outside."""
