"""The trial: forty cameras on servers of others, and programs of others as callers. `python -m tests.trial`.

It needs no file of ours but this repository; what others wrote is installed by apt, pip and npm, or a step is skipped
and says why. tests/integration/test_trial.py runs a small part of it.
"""
