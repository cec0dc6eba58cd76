"""Helpers that run ledgers in virtual time and audit them from outside."""
