"""What is kept: registry, verdicts, judge memory, keyframes. The only import of SQLAlchemy and Alembic."""
