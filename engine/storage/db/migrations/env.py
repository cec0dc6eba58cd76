"""Run by Alembic: applies the revisions in the transaction that engine.storage.db.schema has begun."""

from alembic import context

from engine.storage.db.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
