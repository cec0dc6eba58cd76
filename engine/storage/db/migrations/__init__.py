"""The migrations of the schema; engine.storage.db.schema runs them."""
