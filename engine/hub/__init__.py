"""The control process: schedules visits, hands keyframes to workers, judges, stores, and answers callers."""
