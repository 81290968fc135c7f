"""What a model may look at of a film, and what a film may have."""

MODALITIES = POSTER, OVERVIEW = "poster", "overview"
BOTH = "both"  # what a film may have beside a single modality



