"""Stores the registry, verdicts, judge states and keyframes. The only package that imports SQLAlchemy and Alembic."""
