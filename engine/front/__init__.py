"""The one door to several machines: answers reads from the database, and passes calls on to the shards."""
