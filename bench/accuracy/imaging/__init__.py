"""Simulates how pictures come about: light, optics, damage, the sensor, overlays and the encoder."""
