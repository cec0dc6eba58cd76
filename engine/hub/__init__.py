"""The control process: orders out, keyframes in, jobs to workers, verdicts to the store and to callers."""
