"""The upgrade of a database: what it will do and needs, its steps in batches, and its progress."""
