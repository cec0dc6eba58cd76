"""Passes calls on to the shards that they concern, so that several machines answer as one."""
