"""Finds what of a picture shows the scene: bars around it, privacy masks over it, several views in it."""
