"""Commands about how good the figures are: `prompts` and `evaluate`."""
