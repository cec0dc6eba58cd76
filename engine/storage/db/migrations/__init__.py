"""Changes of the tables, in order; engine.storage.db.schema runs them."""
