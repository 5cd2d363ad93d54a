"""Pure: what we ask of the model and what we accept."""
