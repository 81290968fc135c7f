"""What models are worth: figures, baselines, thresholds, plots, reports, releases."""
