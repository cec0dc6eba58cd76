"""`python -m engine.cli` is `patrol`."""

from engine.cli.main import main

main()
