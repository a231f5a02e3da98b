"""Runs on behalf of other libraries' trainers: one module a library, which alone imports it."""
