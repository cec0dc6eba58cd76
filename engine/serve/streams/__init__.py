"""Streams of verdicts and findings to watchers."""
