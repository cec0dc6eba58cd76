"""Simulates a patrol: the scheduler that `patrol run` uses, in virtual time, against a model of the world."""
