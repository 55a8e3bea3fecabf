"""Passes over graphs of stages, one a file."""
