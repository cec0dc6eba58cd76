"""Tests of the API over real gRPC."""
