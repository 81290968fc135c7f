"""One model: its file, its layers, its network, and what it says of films."""
