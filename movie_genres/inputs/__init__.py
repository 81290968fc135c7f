"""A film as a model sees it: poster, overview, and the arrays that they become."""
