"""Decides which counties form a shard, and which node runs it. Pure."""
