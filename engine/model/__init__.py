"""The value types that every stage shares: cameras, keyframes, measurements, verdicts, findings, KPIs. Pure.

Units: a name ends in its unit. Times are integer nanoseconds: `*_wall_ns` counts from 1970-01-01 UTC, any other `*_ns`
is a duration or a reading of the monotonic clock. `*_s`, `*_h` are float seconds and hours. Grey levels are 8-bit full
range (0 black, 255 white), after normalisation. In queries an empty field does not filter, unless its docstring says
otherwise.
"""
