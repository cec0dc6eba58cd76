"""A made-up county whose cameras stream over real RTSP from this machine, for `patrol demo` and for tests."""
