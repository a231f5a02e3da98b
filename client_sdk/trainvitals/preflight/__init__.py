"""Preflight: what can be known of a training before its first epoch. Nothing here loads torch before it is called."""
