"""Kills hub, workers and PostgreSQL with kill -9 at random moments of a patrol of 100 checks a second.

    python -m tests.kill_nine [--moments 50] [--seed 1] [--database sqlite|postgresql] [--json]

It runs a real `patrol run` with a gateway, callers and watchers that retry for ever, and then compares what these were
told with the database: every acknowledged verdict and ledger event is stored exactly once, and every watcher received
all that its filter lets through, in order, once. The seed decides when and what is killed; the timing of the operating
system still varies.
"""
