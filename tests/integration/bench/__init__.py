"""Tests of the benchmarks as programs."""
