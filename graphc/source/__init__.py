"""Stages printed as NumPy source: :func:`graphc.source.module.numpy_source`."""
