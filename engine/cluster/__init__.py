"""Runs the engine on several machines: counties become shards, and each shard runs on one node at a time."""
