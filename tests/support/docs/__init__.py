"""Reads README and docs/ as a stranger does: the commands that they show, and the things that they name."""
