"""Judges a camera: a measurement and the camera's judge state in, a verdict and the new judge state out. Pure but for
the compiler: time comes in as a value."""
