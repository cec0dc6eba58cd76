"""Streams of replies: verdicts and findings to watchers, and the end of streams that may not go on."""
