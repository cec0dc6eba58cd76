"""Keyframes on disk: the latest of each camera, exhibits of faults, quarantine."""
