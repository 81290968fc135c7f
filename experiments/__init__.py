"""Whether a change of parameters is better than noise: runs on several splits, and what they tell."""
