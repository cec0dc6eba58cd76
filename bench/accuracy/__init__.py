"""Measures the accuracy of the judge: real pictures through a physical chain, real codecs and the engine's own path."""
