"""Decides which camera is visited when. A pure state machine: events in, actions out; `now_ns` in, `next_wakeup_ns()`
out.
"""
