"""The nouns that every stage shares: cameras, keyframes, measurements, verdicts, findings, KPIs. Pure values.

Units: names end in their unit. Times are integer nanoseconds: `*_wall_ns` counts from 1970 UTC, other `*_ns` are
durations or monotonic. Grey levels are 8-bit full range (0 black, 255 white) after normalisation.
"""
