"""A made-up county whose cameras stream over real RTSP from this machine: `patrol demo`, and a world for tests."""
