"""Measurements of speed, each beside the plain Keras way in the same run: `python -m benchmarks.NAME`."""
