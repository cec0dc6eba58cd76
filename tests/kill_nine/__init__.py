"""kill -9 of the hub, of a worker, of PostgreSQL at random moments of a run of 100 checks a second.

    python -m tests.kill_nine [--moments 50] [--seed 1] [--database sqlite|postgresql] [--json]

A real `patrol run`, with gateways and callers around it that never give up. Afterwards what they were told is compared
with what is in the database: every acknowledged verdict and ledger event is there, none twice; every watcher heard all
that its filter lets through, in order, once. The moments and what is killed come of the seed; what the operating system
makes of them does not.
"""
