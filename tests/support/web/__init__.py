"""Helpers that run the HTTP gateway and call it."""
