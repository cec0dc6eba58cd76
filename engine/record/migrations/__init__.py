"""Changes of the tables, in order; engine.record.schema runs them."""
