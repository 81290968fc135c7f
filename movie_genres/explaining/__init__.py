"""Why a model says what it says of a film: where on its poster, which words of its overview, how much from each."""
