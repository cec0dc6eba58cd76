"""Judges what the lens and the exposure do to a picture: the usual range of the light, and drops on the glass."""
