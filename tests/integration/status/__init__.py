"""Tests of what operators see of a running engine: metrics, health, logs, alerts."""
