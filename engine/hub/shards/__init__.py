"""What the hub of a shard has beside that of an engine alone: a lease, and others who change what it works with."""
