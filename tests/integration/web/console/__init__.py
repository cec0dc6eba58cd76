"""Screens of the web console, in front of real servers."""
