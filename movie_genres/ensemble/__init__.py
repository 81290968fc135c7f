"""Several models that belong together, and how their answers are used."""
