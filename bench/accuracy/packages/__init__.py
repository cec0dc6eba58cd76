"""Photographs that packages of Debian and PyPI carry, as scenes that no rule was tuned on; none is in this project."""
