"""Keeps keyframes on disk: the latest of each camera, exhibits of faults, and quarantined ones."""
