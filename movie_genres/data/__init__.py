"""From a source of films to the data folder, and from there to splits and features."""
