"""What is kept: registry, latest verdicts, judge memory, keyframes. The only import of SQLAlchemy."""
