"""The thread that writes verdicts to the database, and its queue."""
