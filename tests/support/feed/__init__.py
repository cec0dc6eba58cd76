"""Helpers that stand in for cameras and platforms: clips, packets, HTTP sites."""
