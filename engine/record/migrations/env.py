"""What Alembic runs: the revisions, in the transaction that engine.record.schema has begun."""

from alembic import context

from engine.record.tables import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
with context.begin_transaction():
    context.run_migrations()
