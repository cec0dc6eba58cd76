"""The nouns that every stage shares: cameras, keyframes, measurements, verdicts, findings, KPIs. Pure values."""
