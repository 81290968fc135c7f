"""The training loop, its state, its batches and its display."""
