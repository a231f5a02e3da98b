"""Where runs are kept: SQLite or PostgreSQL behind one interface."""
