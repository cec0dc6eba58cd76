"""Renders data for a terminal: tables, live views and sentences. Fetches nothing."""
