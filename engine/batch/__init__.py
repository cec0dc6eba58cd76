"""What runs without a running engine: one-shot checks, rejudging, reports, the registry from the command line."""
