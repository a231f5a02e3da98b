"""Figures: what the server answers in, a plot out, and nothing else."""
