"""Turns a run's findings into tables, figures with their uncertainty, plots and a page."""
