"""Pure: deterministic arithmetic, from accepted answers to a footprint."""
