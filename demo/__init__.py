"""The synthetic demo films: their generator, and what `make repro` shows of them."""
