"""Feeds damaged input to what reads bytes from outside, and reports what breaks it.

    python -m tests.fuzz TARGET [--runs N] [--seed S] [--first N]

A target reads its input as the engine does, and may raise only what it says it raises. `--seed` and the number of an
input decide its bytes: a finding is printed with all three, and becomes a case of
tests/property/test_fuzz_targets.py. The damage of whole keyframes, and what the judge makes of it, is the subject of
`python -m bench.mutations`.
"""
