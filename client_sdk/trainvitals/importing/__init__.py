"""Runs that other trackers recorded, read as runs of ours: a module for each source."""
