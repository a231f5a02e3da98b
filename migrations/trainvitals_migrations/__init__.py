"""Schema versions of the store, run by Alembic on SQLite and PostgreSQL."""
