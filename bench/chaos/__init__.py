"""Chaos: a live province while faults are injected by seed; and the checks of what must hold all the same."""
