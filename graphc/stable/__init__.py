"""Stable forms."""
def stabilise(outputs): return list(outputs)
