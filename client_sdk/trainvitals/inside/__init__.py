"""Looking inside a network: what it makes of a few examples that are kept for it."""
